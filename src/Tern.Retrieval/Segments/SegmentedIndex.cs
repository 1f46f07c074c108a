using System.Runtime.CompilerServices;
using System.Text;
using Tern.Compute;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// An index of any number of segments as one commit left it: searches return exactly what one segment with the same
/// documents would. It keeps its files until it is disposed, whatever a writer does; <see cref="OpenNewer"/> sees later
/// commits. Any number of threads may search at once; dispose it when no search is running.
/// </summary>
public sealed class SegmentedIndex : IDisposable
{
    private readonly IFileSystem _files;
    private readonly string _directory;
    private readonly bool _verify;
    private readonly SegmentView[] _views;
    private readonly FileStream? _pin;
    private readonly ConditionalWeakTable<DocumentFilter, DocumentFilter[]> _filterParts = [];
    private readonly Lock _poolLock = new();
    private readonly Stack<Hit[][]> _pool = new();
    private bool _disposed;

    internal SegmentedIndex(IFileSystem files, string directory, bool verify, IndexSettings settings, SegmentView[] views, long generation, long commit, FileStream? pin)
    {
        _files = files;
        _directory = directory;
        _verify = verify;
        _views = views;
        _pin = pin;
        Settings = settings;
        Generation = generation;
        Commit = commit;
        DocumentCount = views.Sum(view => view.Deleted.LiveCount);
        OrdinalCount = views.Length == 0 ? 0 : views[^1].First + views[^1].Segment.DocumentCount;
    }

    /// <summary>What all segments have in common.</summary>
    public IndexSettings Settings { get; }

    /// <summary>The number of the commit that it shows; 0 for an index as it was built.</summary>
    public long Commit { get; }

    /// <summary>The number of the manifest behind it; 0 for an index that was only built.</summary>
    public long Generation { get; }

    /// <summary>Documents that can be found.</summary>
    public int DocumentCount { get; }

    /// <summary>Ordinals are below this; those of deleted documents are never returned.</summary>
    public int OrdinalCount { get; }

    public int SegmentCount => _views.Length;

    /// <summary>What each segment holds; the log's is the last, in memory.</summary>
    public IReadOnlyList<SegmentStatistics> Segments => [.. _views.Select(view => new SegmentStatistics(view.Segment.Name, view.Segment.DocumentCount, view.Deleted.Count, view.Segment.Sparse?.PostingCount ?? ((long)view.Segment.DocumentCount * Settings.Dimension), view.Segment.ByteCount))];

    /// <summary>Size of the segments.</summary>
    public long ByteCount => _views.Sum(view => view.Segment.ByteCount);

    internal IReadOnlyList<SegmentView> Views => _views;

    /// <summary>Only of a BM25 index, which has one segment.</summary>
    internal WordTable? Words => _views is [{ Segment.Sparse: { } sparse }] ? sparse.Words : null;

    /// <summary>True when the directory holds an index, built or updated.</summary>
    public static bool Exists(string directory) => File.Exists(Path.Combine(directory, IndexManifest.FileName)) || GenerationFiles.List(directory).Count > 0;

    /// <summary>
    /// Opens the last commit. With <paramref name="verify"/> every checksum is compared, a fraction of a second per gigabyte.
    /// Damage is an <see cref="InvalidDataException"/> naming file, section and offset.
    /// </summary>
    public static SegmentedIndex Open(string directory, bool verify = true) => Open(PhysicalFiles.Instance, directory, verify);

    internal static SegmentedIndex Open(IFileSystem files, string directory, bool verify) => IndexOpening.Open(files, directory, verify, []);

    /// <summary>The index as a later commit left it, or null where there is none; shares the segments that both have.</summary>
    public SegmentedIndex? OpenNewer()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        SegmentedIndex newest = IndexOpening.Open(_files, _directory, _verify, [.. _views.Select(view => view.Segment)]);
        if (newest.Commit > Commit || newest.Generation > Generation)
        {
            return newest;
        }

        newest.Dispose();
        return null;
    }

    /// <summary>As <see cref="SparseIndex.Search(ReadOnlySpan{int}, ReadOnlySpan{float}, Span{Hit}, in SparseSearchOptions)"/>; a filter is over <see cref="OrdinalCount"/> documents.</summary>
    public int Search(ReadOnlySpan<int> terms, ReadOnlySpan<float> weights, Span<Hit> hits, in SparseSearchOptions options = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Require(VectorKind.Sparse);
        DocumentFilter[]? parts = Parts(options.Filter);
        if (_views.Length == 1)
        {
            return _views[0].Segment.Sparse!.Search(terms, weights, hits, parts is null && _views[0].Live is null ? options : options with { Filter = parts?[0] ?? _views[0].Live });
        }

        CheckScoring(options);
        hits = hits[..Math.Min(hits.Length, DocumentCount)];
        Hit[][] buffers = Rent(hits.Length);
        try
        {
            int count = 0;
            for (int s = 0; s < _views.Length; s++)
            {
                SegmentView view = _views[s];
                // A hit of another segment must reach the last of a full list; of equal scores the ids decide.
                float least = count == hits.Length && count > 0 ? Math.Max(options.MinScore, hits[^1].Score) : options.MinScore;
                Span<Hit> found = buffers[0].AsSpan(0, hits.Length);
                found = found[..view.Segment.Sparse!.Search(terms, weights, found, options with { Filter = parts?[s] ?? view.Live, MinScore = least })];
                count = Join(view, hits, count, found, buffers[1]);
            }

            return count;
        }
        finally
        {
            Return(buffers);
        }
    }

    /// <summary>The best <paramref name="k"/> documents.</summary>
    public Hit[] Search(SparseVector query, int k, in SparseSearchOptions options = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        var hits = new Hit[Math.Min(k, DocumentCount)];
        return hits[..Search(query.TermSpan, query.WeightSpan, hits, options)];
    }

    /// <summary>As <see cref="SparseIndex.SearchBatch"/>.</summary>
    public Hit[][] SearchBatch(IReadOnlyList<SparseVector> queries, int k, int threadCount = 0, SparseSearchOptions options = default)
    {
        var results = new Hit[queries.Count][];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = threadCount > 0 ? threadCount : Environment.ProcessorCount };
        Parallel.For(0, queries.Count, parallel, i => results[i] = Search(queries[i], k, options));
        return results;
    }

    /// <summary>As <see cref="DenseIndex.Search(ReadOnlySpan{float}, Span{Hit}, DocumentFilter?, DenseScan)"/>, each segment by its narrow copy where it has one.</summary>
    public int Search(ReadOnlySpan<float> query, Span<Hit> hits, DocumentFilter? filter = null)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Require(VectorKind.Dense);
        DocumentFilter[]? parts = Parts(filter);
        if (_views.Length == 1)
        {
            DenseIndex only = _views[0].Segment.Dense!;
            return only.Search(query, hits, parts?[0] ?? _views[0].Live, only.Scan);
        }

        hits = hits[..Math.Min(hits.Length, DocumentCount)];
        Hit[][] buffers = Rent(hits.Length);
        try
        {
            int count = 0;
            for (int s = 0; s < _views.Length; s++)
            {
                SegmentView view = _views[s];
                Span<Hit> found = buffers[0].AsSpan(0, hits.Length);
                found = found[..view.Segment.Dense!.Search(query, found, parts?[s] ?? view.Live, view.Segment.Dense.Scan)];
                count = Join(view, hits, count, found, buffers[1]);
            }

            return count;
        }
        finally
        {
            Return(buffers);
        }
    }

    /// <summary>The best <paramref name="k"/> documents.</summary>
    public Hit[] Search(ReadOnlySpan<float> query, int k, DocumentFilter? filter = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        var hits = new Hit[Math.Min(k, DocumentCount)];
        return hits[..Search(query, hits, filter)];
    }

    /// <summary>As <see cref="DenseIndex.SearchBatch"/>.</summary>
    public Hit[][] SearchBatch(IReadOnlyList<float[]> queries, int k, int threadCount = 0, DocumentFilter? filter = null, IBackend? device = null)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Require(VectorKind.Dense);
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        DocumentFilter[]? parts = Parts(filter);
        k = Math.Min(k, DocumentCount);
        var results = new Hit[queries.Count][];
        Array.Fill(results, []);
        var scratch = new Hit[k];
        for (int s = 0; s < _views.Length; s++)
        {
            SegmentView view = _views[s];
            Hit[][] found = view.Segment.Dense!.SearchBatch(queries, k, threadCount, parts?[s] ?? view.Live, device);
            for (int i = 0; i < results.Length; i++)
            {
                var best = new Hit[Math.Min(k, results[i].Length + found[i].Length)];
                results[i].CopyTo(best, 0);
                Join(view, best, results[i].Length, found[i], scratch);
                results[i] = best;
            }
        }

        return results;
    }

    /// <summary>The documents that an expression admits, as <c>lang = en and year &gt;= 2020</c>, for searches of this index.</summary>
    /// <exception cref="ArgumentException">The expression is wrong; the message says at which column.</exception>
    public DocumentFilter Filter(string expression)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        FilterExpression parsed = FilterParser.Parse(expression, Settings.Fields);
        var filter = new DocumentFilter(OrdinalCount);
        foreach (SegmentView view in _views)
        {
            ulong[] bits = parsed.Evaluate(view.Segment.Fields!);
            for (int document = 0; document < view.Segment.DocumentCount; document++)
            {
                if ((bits[document >> 6] >> (document & 63) & 1) != 0 && !view.Deleted.Contains(document))
                {
                    filter.Add(view.First + document);
                }
            }
        }

        return filter;
    }

    public string ExternalId(int docId) => Find(docId, out int document).Segment.ExternalId(document);

    /// <summary>The ordinal of an external id; false for one that is not there or deleted.</summary>
    public bool TryFind(string externalId, out int docId)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(externalId);
        foreach (SegmentView view in _views)
        {
            if (view.Segment.TryFind(utf8, out int document) && !view.Deleted.Contains(document))
            {
                docId = view.First + document;
                return true;
            }
        }

        docId = -1;
        return false;
    }

    /// <summary>The stored bytes of a document, valid until Dispose; empty where nothing is stored.</summary>
    public ReadOnlySpan<byte> Payload(int docId) => Find(docId, out int document).Segment.Payload(document);

    /// <summary>A document as it can be added to another index; vectors of 8-bit weights as they are stored.</summary>
    public IndexDocument Document(int docId) => Find(docId, out int document).Segment.Document(document);

    /// <summary>A sparse document's vector, as <see cref="SparseIndex.Vector"/>.</summary>
    public SparseVector SparseVector(int docId)
    {
        Require(VectorKind.Sparse);
        return Find(docId, out int document).Segment.Sparse!.Vector(document);
    }

    /// <summary>A dense document's vector, valid until Dispose.</summary>
    public ReadOnlySpan<float> DenseVector(int docId)
    {
        Require(VectorKind.Dense);
        return Find(docId, out int document).Segment.Dense!.Vector(document);
    }

    /// <summary>As <see cref="SparseIndex.Explain"/>.</summary>
    public Explanation Explain(int docId, SparseVector query)
    {
        Require(VectorKind.Sparse);
        return Find(docId, out int document).Segment.Sparse!.Explain(document, query);
    }

    /// <summary>The ordinals of all documents that are not deleted, ascending.</summary>
    public IEnumerable<int> Documents()
    {
        foreach (SegmentView view in _views)
        {
            for (int document = 0; document < view.Segment.DocumentCount; document++)
            {
                if (!view.Deleted.Contains(document))
                {
                    yield return view.First + document;
                }
            }
        }
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            foreach (SegmentView view in _views)
            {
                view.Segment.Release();
            }

            _pin?.Dispose();
        }
    }

    internal ReadOnlySpan<byte> IdBytes(int docId) => Find(docId, out int document).Segment.IdBytes(document);

    private SegmentView Find(int docId, out int document)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(docId);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(docId, OrdinalCount);
        int low = 0;
        for (int high = _views.Length - 1; low < high;)
        {
            int middle = (low + high + 1) / 2;
            (low, high) = _views[middle].First <= docId ? (middle, high) : (low, middle - 1);
        }

        document = docId - _views[low].First;
        return _views[low];
    }

    private int Join(SegmentView view, Span<Hit> best, int bestCount, Span<Hit> found, Span<Hit> scratch)
    {
        for (int i = 0; i < found.Length; i++)
        {
            found[i] = found[i] with { DocId = found[i].DocId + view.First };
        }

        return HitMerge.Into(best, bestCount, found, scratch, this);
    }

    private DocumentFilter[]? Parts(DocumentFilter? filter)
    {
        if (filter is null)
        {
            return null;
        }

        return filter.DocumentCount == OrdinalCount
            ? _filterParts.GetValue(filter, whole => Array.ConvertAll(_views, view => view.Part(whole)))
            : throw new ArgumentException($"the filter is for an index of {filter.DocumentCount} documents; this one has {OrdinalCount}", nameof(filter));
    }

    private void Require(VectorKind kind)
    {
        if (Settings.Kind != kind)
        {
            throw new ArgumentException($"the index holds {Settings.Kind.ToString().ToLowerInvariant()} vectors, not {kind.ToString().ToLowerInvariant()} ones");
        }
    }

    /// <summary>Float32 segments have a scale each, so that sums of their impacts cannot be compared.</summary>
    private void CheckScoring(in SparseSearchOptions options)
    {
        if (options.Scoring == ScoringMode.Impacts && Settings.Precision == ImpactPrecision.Float32 && _views.Length > 1)
        {
            throw new ArgumentException($"the index keeps float32 weights in {_views.Length} segments, each with a scale of its own for impacts; search it in float32, or compact it first");
        }
    }

    private Hit[][] Rent(int k)
    {
        lock (_poolLock)
        {
            if (_pool.TryPop(out Hit[][]? buffers) && buffers[0].Length >= k)
            {
                return buffers;
            }
        }

        return [new Hit[k], new Hit[k]];
    }

    private void Return(Hit[][] buffers)
    {
        lock (_poolLock)
        {
            _pool.Push(buffers);
        }
    }
}
