using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>What a writer begins with: the current generation, opened, and the changes of its log. Needs the writer's lock.</summary>
internal sealed record WriterState(GenerationManifest Manifest, LogWriter Log, List<(Segment Segment, DeletedDocuments Deleted)> Segments, IReadOnlyDictionary<string, IndexDocument?> Changes)
{
    /// <summary>The first generation of an index, empty or of the segment that was built.</summary>
    public static WriterState Start(IFileSystem files, string directory, IndexSettings settings, List<(Segment Segment, DeletedDocuments Deleted)> segments)
    {
        var log = LogWriter.Create(files, Path.Combine(directory, GenerationFiles.LogName(1)), 0);
        try
        {
            var manifest = GenerationManifest.Of(settings, 1, 0, GenerationFiles.LogName(1), 1, [.. segments.Select(s => GenerationSegment.Of(s.Segment))]);
            manifest.WriteAside(files, directory);
            files.SyncDirectory(directory);
            manifest.Publish(files, directory);
            return new WriterState(manifest, log, segments, new Dictionary<string, IndexDocument?>());
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <summary>What the last commit left; every checksum is compared.</summary>
    public static WriterState Recover(IFileSystem files, string directory)
    {
        var segments = new List<(Segment Segment, DeletedDocuments Deleted)>();
        try
        {
            if (GenerationFiles.OpenNewest(directory) is not { } newest)
            {
                var built = Segment.Open(files, directory, ".", verify: true);
                segments.Add((built, new DeletedDocuments(built.DocumentCount)));
                RequireUpdatable(directory, built);
                return Start(files, directory, built.Settings, segments);
            }

            using FileStream pin = newest.Pin;
            foreach (GenerationSegment entry in newest.Manifest.Segments)
            {
                var segment = Segment.Open(files, directory, entry.Directory, verify: true);
                segments.Add((segment, new DeletedDocuments(segment.DocumentCount)));
                segment.Require(directory, entry, newest.Manifest.Settings);
                segments[^1] = (segment, DeletedDocuments.Read(files, directory, entry));
            }

            string path = Path.Combine(directory, newest.Manifest.Log);
            LogContent content = IndexOpening.ReadLog(files, path, newest.Manifest);
            return new WriterState(newest.Manifest, LogWriter.Open(files, path, content), segments, content.Changes);
        }
        catch
        {
            segments.ForEach(s => s.Segment.Release());
            throw;
        }
    }

    private static void RequireUpdatable(string directory, Segment segment)
    {
        if (segment.Sparse?.Words is not null)
        {
            throw new InvalidDataException($"{directory}: a BM25 index cannot be updated, since every weight depends on all documents; build it again");
        }

        if (segment.Sparse is { HasForward: false })
        {
            throw new InvalidDataException($"{directory}: the index keeps no documents' vectors (a forward index), which merging needs; build it with them");
        }
    }
}
