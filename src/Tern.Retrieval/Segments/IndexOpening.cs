using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>Opens what the last commit of an index directory left: its segments, and the log as one more in memory.</summary>
internal static class IndexOpening
{
    /// <param name="opened">Segments of an earlier generation; those that are still there are shared.</param>
    public static SegmentedIndex Open(IFileSystem files, string directory, bool verify, IReadOnlyList<Segment> opened)
    {
        for (int attempt = 0; ; attempt++)
        {
            if (GenerationFiles.OpenNewest(directory) is not { } newest)
            {
                try
                {
                    return OpenBuilt(files, directory, verify);
                }
                catch (Exception e) when (e is FileNotFoundException or InvalidDataException && attempt < 100 && GenerationFiles.List(directory).Count > 0)
                {
                    // A writer has begun meanwhile.
                    continue;
                }
            }

            try
            {
                return Open(files, directory, verify, newest.Manifest, newest.Pin, opened);
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or InvalidDataException && attempt < 100 && GenerationFiles.List(directory) is [.., var last] && last != newest.Manifest.Generation)
            {
                // The generation had a successor before it was pinned.
                newest.Pin.Dispose();
            }
            catch
            {
                newest.Pin.Dispose();
                throw;
            }
        }
    }

    /// <summary>Reads a log; one that is just being written is read again.</summary>
    public static LogContent ReadLog(IFileSystem files, string path, GenerationManifest manifest)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                LogContent log = LogFormat.Read(path, files.ReadAllBytes(path), manifest.Settings);
                return log.BaseCommit == manifest.Commit
                    ? log
                    : throw new InvalidDataException($"{path}: section 'header' at offset 16: the log goes on from commit {log.BaseCommit}, the generation holds {manifest.Commit}; restore the index or build it again");
            }
            catch (InvalidDataException) when (attempt < 3)
            {
                Thread.Sleep(1);
            }
        }
    }

    /// <summary>Deletes from segments what the changes of a log replace or take away.</summary>
    public static void Delete(IEnumerable<string> ids, IReadOnlyList<(Segment Segment, DeletedDocuments Deleted)> segments)
    {
        foreach (string id in ids)
        {
            byte[] utf8 = System.Text.Encoding.UTF8.GetBytes(id);
            foreach ((Segment segment, DeletedDocuments deleted) in segments)
            {
                if (segment.TryFind(utf8, out int document))
                {
                    deleted.Add(document);
                }
            }
        }
    }

    private static SegmentedIndex OpenBuilt(IFileSystem files, string directory, bool verify)
    {
        if (!File.Exists(Path.Combine(directory, IndexManifest.FileName)))
        {
            IndexManifest.Load(files, directory, "sparse");
        }

        var segment = Segment.Open(files, directory, ".", verify);
        return new SegmentedIndex(files, directory, verify, segment.Settings, [new SegmentView(segment, new DeletedDocuments(segment.DocumentCount), 0)], 0, 0, null);
    }

    private static SegmentedIndex Open(IFileSystem files, string directory, bool verify, GenerationManifest manifest, FileStream pin, IReadOnlyList<Segment> opened)
    {
        IndexSettings settings = manifest.Settings;
        var segments = new List<(Segment Segment, DeletedDocuments Deleted)>();
        try
        {
            foreach (GenerationSegment entry in manifest.Segments)
            {
                Segment segment = opened.FirstOrDefault(s => s.Name == entry.Directory && s.Checksum == entry.Checksum)?.Hold()
                    ?? Segment.Open(files, directory, entry.Directory, verify);
                segments.Add((segment, new DeletedDocuments(0)));
                segment.Require(directory, entry, settings);
                segments[^1] = (segment, DeletedDocuments.Read(files, directory, entry));
            }

            string logPath = Path.Combine(directory, manifest.Log);
            LogContent log = ReadLog(files, logPath, manifest);
            Delete(log.Changes.Keys, segments);
            if (log.Changes.Values.Any(document => document is not null))
            {
                var segment = InMemory(logPath, settings, log.Changes.Values.OfType<IndexDocument>());
                segments.Add((segment, new DeletedDocuments(segment.DocumentCount)));
            }

            return new SegmentedIndex(files, directory, verify, settings, Views(segments), manifest.Generation, log.Commit, pin);
        }
        catch
        {
            segments.ForEach(segment => segment.Segment.Release());
            throw;
        }
    }

    private static SegmentView[] Views(List<(Segment Segment, DeletedDocuments Deleted)> segments)
    {
        var views = new SegmentView[segments.Count];
        int first = 0;
        for (int i = 0; i < views.Length; i++)
        {
            views[i] = new SegmentView(segments[i].Segment, segments[i].Deleted, first);
            first = checked(first + segments[i].Segment.DocumentCount);
        }

        return views;
    }

    /// <summary>A segment of the documents that are only in the log; a few thousand at most.</summary>
    private static Segment InMemory(string logPath, IndexSettings settings, IEnumerable<IndexDocument> documents)
    {
        var files = new MemoryFiles();
        using (var builder = new SegmentBuilder(files, logPath, settings with { Scan = DenseScan.Float32 }))
        {
            foreach (IndexDocument document in documents)
            {
                builder.Add(document);
            }

            builder.Complete();
        }

        return Segment.Open(files, Path.GetDirectoryName(logPath)!, Path.GetFileName(logPath), verify: false);
    }
}
