using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Compute.Cpu;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// A memory-mapped flat index of float32 vectors: exact top-k by inner product under the total order of
/// <see cref="Hit"/>, whichever <see cref="DenseScan"/> finds it. Any number of threads may search at once; dispose it when no search is running.
/// </summary>
public sealed unsafe class DenseIndex : IDisposable
{
    internal const string FileName = "dense.tern";

    // Fewer queries than this are faster one by one, at the memory's speed.
    private const int LeastBatch = 4;

    /// <summary>"TernVec" in ASCII.</summary>
    internal static readonly ulong Magic = SectionFile.NameCode("TernVec");

    private readonly IndexManifest _manifest;
    private readonly SectionFile _file;
    private readonly ExternalIds _ids;
    private readonly DenseVectors _vectors;
    private readonly Lock _poolLock = new();
    private readonly Stack<DenseSearchContext> _pool = new();
    private (ICandidateBackend Device, DenseDeviceSearch Search)? _onDevice;
    private float* _norms;
    private bool _disposed;

    private DenseIndex(IndexManifest manifest, SectionFile file)
    {
        _manifest = manifest;
        _file = file;
        ReadOnlySpan<int> parameters = file.Table<int>("params");
        if (parameters is not [var documentCount, var dimension] || documentCount != manifest.DocumentCount || dimension != manifest.Dimension)
        {
            throw file.InvalidElement("params", $"its counts disagree with {IndexManifest.FileName}; build the index again");
        }

        _ids = new ExternalIds(file, documentCount);
        _vectors = new DenseVectors(file, documentCount, dimension);
    }

    public int DocumentCount => _manifest.DocumentCount;

    /// <summary>Elements of a vector.</summary>
    public int Dimension => _manifest.Dimension;

    /// <summary>The narrow copy that the index has besides its float32 vectors; Float32 when it has none.</summary>
    public DenseScan Scan => _vectors.Scan;

    /// <summary>Of the model whose vectors these are; empty when the builder gave none.</summary>
    public string Fingerprint => _manifest.Fingerprint;

    internal ulong HeaderHash => _file.HeaderHash;

    /// <summary>Size on disk without the manifest.</summary>
    public long ByteCount => _file.ByteCount;

    /// <summary>True when the directory holds the vectors of a dense index.</summary>
    public static bool Exists(string directory) => File.Exists(Path.Combine(directory, FileName));

    /// <summary>As <see cref="SparseIndex.Open(string, bool)"/>.</summary>
    public static DenseIndex Open(string directory, bool verify = true)
    {
        GenerationFiles.RefuseUpdated(directory);
        return Open(PhysicalFiles.Instance, directory, verify);
    }

    internal static DenseIndex Open(IFileSystem files, string directory, bool verify)
    {
        IndexManifest manifest = IndexManifest.Load(files, directory, "dense");
        SectionFile file = manifest.OpenSegment(files, directory, Magic);
        try
        {
            if (verify)
            {
                file.Verify();
            }

            return new DenseIndex(manifest, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Compares every section with its checksum.</summary>
    public void Verify() => _file.Verify();

    /// <summary>
    /// Fills <paramref name="hits"/> with the best documents and returns how many there are: all of them when k is larger
    /// than the index. The query must have <see cref="Dimension"/> finite elements. Nothing is allocated once warm.
    /// </summary>
    public int Search(ReadOnlySpan<float> query, Span<Hit> hits) => Search(query, hits, null, Scan);

    /// <summary>
    /// The same among the documents of <paramref name="filter"/> (null admits all), read first from <paramref name="scan"/>:
    /// the index's narrow copy or Float32. Hits and scores do not depend on it.
    /// </summary>
    public int Search(ReadOnlySpan<float> query, Span<Hit> hits, DocumentFilter? filter, DenseScan scan)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CheckQuery(query);
        CheckFilter(filter);
        if (scan != DenseScan.Float32 && scan != Scan)
        {
            throw new ArgumentException($"the index has no {scan} copy of its vectors; build it with one", nameof(scan));
        }

        int k = Math.Min(hits.Length, DocumentCount);
        if (k == 0)
        {
            return 0;
        }

        DenseSearchContext context = Rent();
        try
        {
            context.Reset(k);
            fixed (float* q = query)
            {
                DenseSearch.Run(_vectors, scan, q, k, _ids.Ranks, filter is null ? default : filter.Words.Span, context);
            }

            return context.Queue.Drain(_ids.Order, hits);
        }
        catch (ArgumentException e)
        {
            throw NotANumber(e);
        }
        finally
        {
            Return(context);
        }
    }

    /// <summary>The best <paramref name="k"/> documents.</summary>
    public Hit[] Search(ReadOnlySpan<float> query, int k)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        var hits = new Hit[Math.Min(k, DocumentCount)];
        Search(query, hits);
        return hits;
    }

    /// <summary>
    /// Many queries at once, the hits of each equal to those of a single search to the bit. Rows are read once for up to 64
    /// queries, as matrix products over the threads; or on a device, if <paramref name="device"/> is one that keeps rows and nothing is filtered:
    /// it gets the vectors with the first batch and keeps them until Dispose, and nobody else may use it meanwhile.
    /// </summary>
    public Hit[][] SearchBatch(IReadOnlyList<float[]> queries, int k, int threadCount = 0, DocumentFilter? filter = null, IBackend? device = null)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        foreach (float[] query in queries)
        {
            CheckQuery(query);
        }

        CheckFilter(filter);
        var results = new Hit[queries.Count][];
        k = Math.Min(k, DocumentCount);
        if (k == 0 || queries.Count < LeastBatch)
        {
            for (int i = 0; i < queries.Count; i++)
            {
                results[i] = new Hit[k];
                int count = Search(queries[i], results[i], filter, Scan);
                results[i] = results[i][..count];
            }

            return results;
        }

        float* norms = Norms();
        if (device is ICandidateBackend keeper && filter is null)
        {
            return SearchOnDevice(keeper, queries, k, threadCount, norms);
        }

        using var backend = new CpuBackend(threadCount);
        for (int first = 0; first < queries.Count; first += DenseBatchSearch.GroupSize)
        {
            SearchGroup(queries, first, k, norms, filter?.Words ?? default, backend, results);
        }

        return results;
    }

    public string ExternalId(int docId) => _ids.Text(docId);

    /// <summary>The ordinal of an external id.</summary>
    public bool TryFind(string externalId, out int docId) => _ids.TryFind(externalId, out docId);

    internal ReadOnlySpan<byte> IdBytes(int docId) => _ids.Bytes(docId);

    internal bool TryFind(ReadOnlySpan<byte> utf8, out int docId) => _ids.TryFind(utf8, out docId);

    /// <summary>A document's vector, valid until Dispose.</summary>
    public ReadOnlySpan<float> Vector(int docId)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(docId);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(docId, DocumentCount);
        return new ReadOnlySpan<float>(_vectors.Row(docId), Dimension);
    }

    public void Dispose()
    {
        _disposed = true;
        lock (_poolLock)
        {
            while (_pool.TryPop(out DenseSearchContext? context))
            {
                context.Dispose();
            }

            NativeMemory.Free(_norms);
            _norms = null;
        }

        _onDevice?.Search.Dispose();
        _onDevice = null;
        _file.Dispose();
    }

    private void SearchGroup(IReadOnlyList<float[]> queries, int first, int k, float* norms, ReadOnlyMemory<ulong> filter, CpuBackend backend, Hit[][] results)
    {
        var contexts = new DenseSearchContext[Math.Min(DenseBatchSearch.GroupSize, queries.Count - first)];
        for (int i = 0; i < contexts.Length; i++)
        {
            contexts[i] = Rent();
            contexts[i].Reset(k);
        }

        try
        {
            DenseBatchSearch.Run(_vectors, queries, first, k, norms, _ids, filter, contexts, backend);
            for (int i = 0; i < contexts.Length; i++)
            {
                var hits = new Hit[k];
                int count = contexts[i].Queue.Drain(_ids.Order, hits);
                results[first + i] = count == k ? hits : hits[..count];
            }
        }
        catch (Exception e) when (e is ArgumentException or AggregateException { InnerException: ArgumentException })
        {
            throw NotANumber(e);
        }
        finally
        {
            Array.ForEach(contexts, Return);
        }
    }

    /// <summary>The query was checked, so that only a score can be what the queue refuses.</summary>
    private InvalidDataException NotANumber(Exception e) => new($"{_file.Path}: section 'vectors' at offset {_file.Place("vectors").Offset}: {(e.InnerException ?? e).Message}: a vector holds something that is not finite, or sums of its products pass float32; build the index again", e);

    private Hit[][] SearchOnDevice(ICandidateBackend device, IReadOnlyList<float[]> queries, int k, int threadCount, float* norms)
    {
        if (_onDevice?.Device != device)
        {
            _onDevice?.Search.Dispose();
            _onDevice = null;
            _onDevice = (device, new DenseDeviceSearch(device, _vectors, norms));
        }

        int[]?[] candidates = _onDevice.Value.Search.Candidates(queries, k);
        var results = new Hit[queries.Count][];
        Parallel.For(0, queries.Count, new ParallelOptions { MaxDegreeOfParallelism = threadCount > 0 ? threadCount : Environment.ProcessorCount }, i =>
        {
            var hits = new Hit[k];
            int count = candidates[i] is { } rows ? Rescore(queries[i], rows, k, hits) : Search(queries[i], hits);
            results[i] = hits[..count];
        });
        return results;
    }

    private int Rescore(float[] query, int[] rows, int k, Hit[] hits)
    {
        DenseSearchContext context = Rent();
        try
        {
            context.Reset(k);
            fixed (float* q = query)
            {
                foreach (int document in rows)
                {
                    context.Queue.Push(DotProduct.One(_vectors.Row(document), q, Dimension), _ids.Ranks[document]);
                }
            }

            return context.Queue.Drain(_ids.Order, hits);
        }
        finally
        {
            Return(context);
        }
    }

    /// <summary>[DocumentCount], at least the norm of each vector; computed for the first batch.</summary>
    private float* Norms()
    {
        lock (_poolLock)
        {
            if (_norms == null)
            {
                var norms = (float*)NativeMemory.Alloc((nuint)DocumentCount, sizeof(float));
                for (int document = 0; document < DocumentCount; document++)
                {
                    float* row = _vectors.Row(document);
                    norms[document] = ScanQuantizer.RoundUp(Math.Sqrt(DotProduct.One(row, row, Dimension)) * (1 + DotProduct.RelativeError(Dimension)));
                }

                _norms = norms;
            }

            return _norms;
        }
    }

    private void CheckFilter(DocumentFilter? filter)
    {
        if (filter is not null && filter.DocumentCount != DocumentCount)
        {
            throw new ArgumentException($"the filter is for an index of {filter.DocumentCount} documents; this one has {DocumentCount}", nameof(filter));
        }
    }

    private void CheckQuery(ReadOnlySpan<float> query)
    {
        if (query.Length != Dimension)
        {
            throw new ArgumentException($"a query of {query.Length} elements; the index holds vectors of {Dimension}", nameof(query));
        }

        foreach (float value in query)
        {
            if (!float.IsFinite(value))
            {
                throw new ArgumentException($"the query holds {value}", nameof(query));
            }
        }
    }

    private DenseSearchContext Rent()
    {
        lock (_poolLock)
        {
            if (_pool.TryPop(out DenseSearchContext? context))
            {
                return context;
            }
        }

        return new DenseSearchContext();
    }

    private void Return(DenseSearchContext context)
    {
        lock (_poolLock)
        {
            _pool.Push(context);
        }
    }
}
