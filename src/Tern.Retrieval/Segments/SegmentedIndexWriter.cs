using System.Text;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>When a writer puts its log into a segment, and whether it merges segments meanwhile.</summary>
public sealed record SegmentedIndexWriterOptions
{
    /// <summary>Bytes of the log from which a commit writes a new segment.</summary>
    public long LogByteCount { get; init; } = 4 << 20;

    /// <summary>So many segments of about one size are merged; also the ratio of the sizes of two tiers.</summary>
    public int SegmentsPerTier { get; init; } = 8;

    /// <summary>Merge on another thread while the writer goes on; otherwise only <see cref="SegmentedIndexWriter.Merge"/> does.</summary>
    public bool BackgroundMerge { get; init; } = true;
}

/// <summary>
/// The one writer of an index: adds, replaces and deletes documents by id. Changes are seen by readers, and survive
/// anything, once <see cref="Commit"/> returned; those after the last commit are lost on Dispose. Not thread-safe.
/// </summary>
public sealed class SegmentedIndexWriter : IDisposable
{
    private readonly IFileSystem _files;
    private readonly string _directory;
    private readonly SegmentedIndexWriterOptions _options;
    private readonly FileStream _lock;
    private readonly Dictionary<string, IndexDocument?> _pending = [];
    private readonly Dictionary<string, IndexDocument?> _committed;
    private GenerationManifest _manifest;
    private List<(Segment Segment, DeletedDocuments Deleted)> _segments;
    private LogWriter _log;
    private SegmentMerge? _merge;
    private bool _failed;
    private bool _disposed;

    private SegmentedIndexWriter(IFileSystem files, string directory, SegmentedIndexWriterOptions? options, FileStream writerLock, WriterState state)
    {
        _files = files;
        _directory = directory;
        _options = options ?? new SegmentedIndexWriterOptions();
        _lock = writerLock;
        _manifest = state.Manifest;
        _log = state.Log;
        _segments = state.Segments;
        _committed = new Dictionary<string, IndexDocument?>(state.Changes);
    }

    public IndexSettings Settings => _manifest.Settings;

    /// <summary>The number of the last commit.</summary>
    public long LastCommit => _log.Commit;

    public int SegmentCount => _segments.Count;

    /// <summary>Weights that were stored as the greatest that the index's 8 bits can hold, since this writer was opened.</summary>
    public long SaturatedWeightCount { get; private set; }

    /// <summary>Makes an empty index in a directory that holds none.</summary>
    public static SegmentedIndexWriter Create(string directory, IndexSettings settings, SegmentedIndexWriterOptions? options = null) => Create(PhysicalFiles.Instance, directory, settings, options);

    internal static SegmentedIndexWriter Create(IFileSystem files, string directory, IndexSettings settings, SegmentedIndexWriterOptions? options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(settings.Dimension, 1);
        if (SegmentedIndex.Exists(directory))
        {
            throw new IOException($"{directory}: there is an index already; open it to change it");
        }

        files.CreateDirectory(directory);
        return Begin(files, directory, options, () => WriterState.Start(files, directory, settings with { ImpactScale = 0 }, []));
    }

    /// <summary>Opens an index, built or updated before. One writer at a time; a second is refused with an <see cref="IOException"/>.</summary>
    public static SegmentedIndexWriter Open(string directory, SegmentedIndexWriterOptions? options = null) => Open(PhysicalFiles.Instance, directory, options);

    internal static SegmentedIndexWriter Open(IFileSystem files, string directory, SegmentedIndexWriterOptions? options)
    {
        if (!SegmentedIndex.Exists(directory))
        {
            IndexManifest.Load(files, directory, "sparse");
        }

        return Begin(files, directory, options, () => WriterState.Recover(files, directory));
    }

    /// <summary>Adds a document or replaces the one of its id.</summary>
    public void Upsert(IndexDocument document)
    {
        Check();
        _manifest.Settings.Check(document);
        _pending[document.Id] = document;
    }

    /// <summary>False for an id that is not there.</summary>
    public bool Delete(string id)
    {
        Check();
        bool isThere = Contains(id);
        if (isThere)
        {
            _pending[id] = null;
        }

        return isThere;
    }

    /// <summary>Whether a document of this id is there, changes that are not committed included.</summary>
    public bool Contains(string id)
    {
        if (_pending.TryGetValue(id, out IndexDocument? document) || _committed.TryGetValue(id, out document))
        {
            return document is not null;
        }

        byte[] utf8 = Encoding.UTF8.GetBytes(id);
        return _segments.Exists(s => s.Segment.TryFind(utf8, out int at) && !s.Deleted.Contains(at));
    }

    /// <summary>
    /// Makes the changes since the last commit durable, all or none, and returns the commit's number; without changes it does
    /// nothing. When it fails, for want of space, the changes are still there to be committed.
    /// </summary>
    public long Commit()
    {
        Check();
        if (_pending.Count > 0)
        {
            _log.Append(_pending);
            foreach ((string id, IndexDocument? document) in _pending)
            {
                _committed.Remove(id);
                _committed.Add(id, document);
                CountSaturated(document);
            }

            _pending.Clear();
        }

        if (_log.End >= _options.LogByteCount || _merge is { IsCompleted: true })
        {
            try
            {
                WriteGeneration();
            }
            catch (IOException) when (!_failed)
            {
                // The commit is durable in the log, which the next commit tries again to put into a segment.
            }
        }

        return _log.Commit;
    }

    /// <summary>Commits, and puts the log into a segment.</summary>
    public void Flush()
    {
        Commit();
        if (_committed.Count > 0)
        {
            WriteGeneration();
        }
    }

    /// <summary>Commits, and merges segments until no tier holds too many.</summary>
    public void Merge(CancellationToken cancellationToken = default)
    {
        Flush();
        while (_merge is not null || Start(MergePolicy.Choose(_segments, _options.SegmentsPerTier), reorder: false))
        {
            FinishMerge(cancellationToken);
        }
    }

    /// <summary>
    /// Commits, and merges everything into one segment without deleted documents; with <paramref name="reorder"/> it is ordered
    /// by <see cref="RecursiveGraphBisection"/>. Does nothing where there is nothing to gain.
    /// </summary>
    public void Compact(bool reorder = false, CancellationToken cancellationToken = default)
    {
        Flush();
        while (_merge is not null)
        {
            FinishMerge(cancellationToken);
        }

        if ((reorder || _segments.Count > 1 || _segments.Exists(s => s.Deleted.Count > 0)) && Start([.. Enumerable.Range(0, _segments.Count)], reorder))
        {
            FinishMerge(cancellationToken);
        }
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _merge?.Dispose();
            _merge = null;
            if (!_failed)
            {
                // What readers held when the last generation was written.
                RemoveUnused();
            }

            _log.Dispose();
            _segments.ForEach(s => s.Segment.Release());
            _lock.Dispose();
        }
    }

    private static SegmentedIndexWriter Begin(IFileSystem files, string directory, SegmentedIndexWriterOptions? options, Func<WriterState> recover)
    {
        FileStream writerLock = GenerationFiles.LockForWriting(directory);
        try
        {
            var writer = new SegmentedIndexWriter(files, directory, options, writerLock, recover());
            writer.RemoveUnused();
            return writer;
        }
        catch
        {
            writerLock.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Puts the log into the segments, and a finished merge in the place of what it merged. Until the new manifest has its
    /// name nothing of the old generation is touched; if anything fails before, the writer goes on with it.
    /// </summary>
    private void WriteGeneration()
    {
        long generation = _manifest.Generation + 1;
        List<(Segment Segment, DeletedDocuments Deleted)> segments = [.. _segments.Select(s => (s.Segment, s.Deleted.Copy()))];
        IndexOpening.Delete(_committed.Keys, segments);
        SegmentMerge? merge = _merge is { IsCompleted: true } ? _merge : null;
        if (merge is { Error: not null })
        {
            // Merging is put off; nothing depends on it.
            _merge = null;
            merge.Dispose();
            merge = null;
        }

        var opened = new List<Segment>();
        LogWriter? log = null;
        try
        {
            if (merge?.Replace(segments) is { } merged)
            {
                opened.Add(merged);
            }

            long nextSegment = Math.Max(_manifest.NextSegment, _merge?.Number + 1 ?? 0);
            IndexSettings settings = _manifest.Settings;
            if (_committed.Values.Any(document => document is not null))
            {
                Segment flushed = BuildSegment(GenerationFiles.SegmentName(nextSegment++), settings, _committed.Values.OfType<IndexDocument>());
                opened.Add(flushed);
                segments.Add((flushed, new DeletedDocuments(flushed.DocumentCount)));
                settings = settings.ImpactScale == 0 ? settings with { ImpactScale = flushed.Settings.ImpactScale } : settings;
            }

            segments.RemoveAll(s => s.Deleted.LiveCount == 0);
            GenerationSegment[] entries = [.. segments.Select(s => WriteEntry(s.Segment, s.Deleted, generation))];
            string logName = GenerationFiles.LogName(generation);
            log = LogWriter.Create(_files, Path.Combine(_directory, logName), _log.Commit);
            var manifest = GenerationManifest.Of(settings, generation, _log.Commit, logName, nextSegment, entries);
            manifest.WriteAside(_files, _directory);
            _files.SyncDirectory(_directory);
            _failed = true;
            manifest.Publish(_files, _directory);
            _failed = false;
            _manifest = manifest;
        }
        catch
        {
            log?.Dispose();
            opened.ForEach(segment => segment.Release());
            throw;
        }

        foreach ((Segment segment, _) in _segments.Where(old => !segments.Exists(s => s.Segment == old.Segment)))
        {
            segment.Release();
        }

        opened.Where(segment => !segments.Exists(s => s.Segment == segment)).ToList().ForEach(segment => segment.Release());
        _segments = segments;
        _log.Dispose();
        _log = log;
        _committed.Clear();
        if (merge is not null)
        {
            _merge = null;
            merge.Dispose();
        }

        RemoveUnused();
        if (_options.BackgroundMerge && _merge is null)
        {
            Start(MergePolicy.Choose(_segments, _options.SegmentsPerTier), reorder: false);
        }
    }

    private void FinishMerge(CancellationToken cancellationToken)
    {
        _merge!.Wait(cancellationToken);
        Exception? error = _merge.Error;
        WriteGeneration();
        if (error is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(error);
        }
    }

    private Segment BuildSegment(string name, IndexSettings settings, IEnumerable<IndexDocument> documents)
    {
        string path = Path.Combine(_directory, name);
        using (var builder = new SegmentBuilder(_files, path, settings))
        {
            foreach (IndexDocument document in documents)
            {
                builder.Add(document);
            }

            builder.Complete();
        }

        return Segment.Open(_files, _directory, name, verify: false);
    }

    private GenerationSegment WriteEntry(Segment segment, DeletedDocuments deleted, long generation)
    {
        GenerationSegment? before = Array.Find(_manifest.Segments, entry => entry.Directory == segment.Name);
        if (before is not null && before.DeletedCount == deleted.Count)
        {
            return before;
        }

        if (deleted.Count == 0)
        {
            return GenerationSegment.Of(segment);
        }

        string name = GenerationFiles.DeletedName(segment.Name, generation);
        return GenerationSegment.Of(segment) with { DeletedCount = deleted.Count, DeletedFile = name, DeletedChecksum = deleted.Write(_files, Path.Combine(_directory, name)) };
    }

    private bool Start(IReadOnlyList<int> chosen, bool reorder)
    {
        if (chosen.Count == 0)
        {
            return false;
        }

        long number = _manifest.NextSegment;
        _merge = SegmentMerge.Start(_files, _directory, number, _manifest.Settings, [.. chosen.Select(i => _segments[i])], reorder);
        return true;
    }

    private void RemoveUnused() => UnusedFiles.Remove(_files, _directory, _manifest, _merge is null ? null : GenerationFiles.SegmentName(_merge.Number));

    private void CountSaturated(IndexDocument? document)
    {
        if (document?.Sparse is { } vector && _manifest.Precision == nameof(ImpactPrecision.Byte) && _manifest.ImpactScale > 0)
        {
            foreach (float weight in vector.WeightSpan)
            {
                SaturatedWeightCount += weight > _manifest.ImpactScale * (ImpactQuantizer.Largest + 0.5f) ? 1 : 0;
            }
        }
    }

    private void Check()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_failed)
        {
            throw new IOException($"{_directory}: an earlier write of a generation failed when it may have been done; open the index again");
        }
    }
}
