using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>Removes what no generation names that is current or that a reader holds: old generations, and what a crash left.</summary>
internal static class UnusedFiles
{
    private static readonly string[] OwnFiles = [IndexManifest.FileName, SegmentFormat.FileName, DenseIndex.FileName, DocumentStore.FileName, FieldColumns.FileName];

    /// <param name="pendingSegment">A segment that is being written.</param>
    public static void Remove(IFileSystem files, string directory, GenerationManifest current, string? pendingSegment)
    {
        var used = new HashSet<string> { GenerationFiles.LockFile };
        if (pendingSegment is not null)
        {
            used.Add(pendingSegment);
        }

        AddNames(current, used);
        foreach (long generation in GenerationFiles.List(directory))
        {
            string path = Path.Combine(directory, GenerationFiles.Name(generation));
            if (generation == current.Generation || (generation < current.Generation && !GenerationFiles.IsUnused(path) && TryAddNames(files, path, used)))
            {
                used.Add(GenerationFiles.Name(generation));
            }
        }

        // Manifests go first: what they name may be gone only when they are.
        foreach (string path in Directory.GetFiles(directory, "generation-*"))
        {
            TryDelete(() => files.Delete(path), path, used);
        }

        foreach (string path in Directory.GetFiles(directory).Where(IsOwn))
        {
            TryDelete(() => files.Delete(path), path, used);
        }

        foreach (string path in Directory.GetDirectories(directory, "segment-*"))
        {
            TryDelete(() => files.DeleteDirectory(path), path, used);
        }

        if (!used.Contains("."))
        {
            foreach (string path in OwnFiles.Select(name => Path.Combine(directory, name)).Where(files.Exists))
            {
                TryDelete(() => files.Delete(path), path, used);
            }
        }
    }

    private static bool IsOwn(string path) => Path.GetFileName(path) is var name && (name.StartsWith("log-", StringComparison.Ordinal) || name.StartsWith("deleted-", StringComparison.Ordinal)) && name.Contains(".tern", StringComparison.Ordinal);

    private static bool TryAddNames(IFileSystem files, string path, HashSet<string> used)
    {
        try
        {
            AddNames(GenerationManifest.Parse(path, files.ReadAllBytes(path)), used);
            return true;
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            return false;
        }
    }

    private static void AddNames(GenerationManifest manifest, HashSet<string> used)
    {
        used.Add(manifest.Log);
        foreach (GenerationSegment segment in manifest.Segments)
        {
            used.Add(segment.Directory);
            used.Add(segment.DeletedFile);
        }
    }

    // What cannot be deleted now, as an open file on Windows, is tried again with the next generation.
    private static void TryDelete(Action delete, string path, HashSet<string> used)
    {
        if (!used.Contains(Path.GetFileName(path)))
        {
            try
            {
                delete();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
            }
        }
    }
}
