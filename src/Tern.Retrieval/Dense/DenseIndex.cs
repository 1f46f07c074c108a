using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// A memory-mapped flat index of float32 vectors: exact top-k by inner product under the total order of
/// <see cref="Hit"/>. Any number of threads may search at once; dispose it when no search is running.
/// </summary>
public sealed unsafe class DenseIndex : IDisposable
{
    internal const string FileName = "dense.tern";

    // Rows that stay in the L2 cache while every query of a batch passes over them, at some hundred elements a row.
    private const int RowsPerBlock = 256;

    /// <summary>"TernVec" in ASCII.</summary>
    internal static readonly ulong Magic = SectionFile.NameCode("TernVec");

    private readonly IndexManifest _manifest;
    private readonly SectionFile _file;
    private readonly ExternalIds _ids;
    private readonly float* _vectors; // [DocumentCount, Dimension]
    private readonly Lock _poolLock = new();
    private readonly Stack<TopKQueue> _pool = new();
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
        _vectors = file.Pointer<float>("vectors", (long)documentCount * dimension);
    }

    public int DocumentCount => _manifest.DocumentCount;

    /// <summary>Elements of a vector.</summary>
    public int Dimension => _manifest.Dimension;

    /// <summary>Of the model whose vectors these are; empty when the builder gave none.</summary>
    public string Fingerprint => _manifest.Fingerprint;

    /// <summary>Size on disk without the manifest.</summary>
    public long ByteCount => _file.ByteCount;

    /// <summary>True when the directory holds the vectors of a dense index.</summary>
    public static bool Exists(string directory) => File.Exists(Path.Combine(directory, FileName));

    /// <summary>As <see cref="SparseIndex.Open"/>.</summary>
    public static DenseIndex Open(string directory, bool verify = true)
    {
        IndexManifest manifest = IndexManifest.Load(directory, "dense");
        SectionFile file = manifest.OpenSegment(directory, Magic);
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
    public int Search(ReadOnlySpan<float> query, Span<Hit> hits)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CheckQuery(query);
        TopKQueue queue = Rent();
        try
        {
            queue.Reset(Math.Min(hits.Length, DocumentCount));
            fixed (float* q = query)
            {
                SearchRows(0, DocumentCount, q, queue);
            }

            return queue.Drain(_ids.Order, hits);
        }
        finally
        {
            Return(queue);
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
    /// Many queries at once, the hits of each equal to those of a single search to the bit. Queries are shared out over
    /// the threads in groups that read the vectors together.
    /// </summary>
    public Hit[][] SearchBatch(IReadOnlyList<float[]> queries, int k, int threadCount = 0)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        foreach (float[] query in queries)
        {
            CheckQuery(query);
        }

        threadCount = threadCount > 0 ? threadCount : Environment.ProcessorCount;
        // At most 64 queries a group: their queues and copies stay in the cache.
        int groupSize = Math.Clamp((queries.Count + threadCount - 1) / threadCount, 1, 64);
        int groupCount = (queries.Count + groupSize - 1) / groupSize;
        var results = new Hit[queries.Count][];
        Parallel.For(0, groupCount, new ParallelOptions { MaxDegreeOfParallelism = threadCount }, group =>
            SearchGroup(queries, group * groupSize, Math.Min(queries.Count, (group + 1) * groupSize), k, results));
        return results;
    }

    public string ExternalId(int docId) => _ids.Text(docId);

    /// <summary>The ordinal of an external id.</summary>
    public bool TryFind(string externalId, out int docId) => _ids.TryFind(externalId, out docId);

    /// <summary>A document's vector, valid until Dispose.</summary>
    public ReadOnlySpan<float> Vector(int docId)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(docId);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(docId, DocumentCount);
        return new ReadOnlySpan<float>(Row(docId), Dimension);
    }

    public void Dispose()
    {
        _disposed = true;
        _file.Dispose();
    }

    private void SearchGroup(IReadOnlyList<float[]> queries, int first, int end, int k, Hit[][] results)
    {
        int count = end - first;
        var packed = new float[count * Dimension];
        var queues = new TopKQueue[count];
        for (int i = 0; i < count; i++)
        {
            queries[first + i].CopyTo(packed, i * Dimension);
            queues[i] = new TopKQueue();
            queues[i].Reset(Math.Min(k, DocumentCount));
        }

        fixed (float* q = packed)
        {
            for (int block = 0; block < DocumentCount; block += RowsPerBlock)
            {
                int blockEnd = Math.Min(DocumentCount, block + RowsPerBlock);
                int i = 0;
                for (; i <= count - 2; i += 2)
                {
                    SearchRowsForTwo(block, blockEnd, q + ((nint)i * Dimension), queues[i], queues[i + 1]);
                }

                if (i < count)
                {
                    SearchRows(block, blockEnd, q + ((nint)i * Dimension), queues[i]);
                }
            }
        }

        for (int i = 0; i < count; i++)
        {
            results[first + i] = new Hit[Math.Min(k, DocumentCount)];
            queues[i].Drain(_ids.Order, results[first + i]);
        }
    }

    private void SearchRows(int first, int end, float* query, TopKQueue queue)
    {
        ReadOnlySpan<int> ranks = _ids.Ranks;
        float* scores = stackalloc float[DotProduct.Rows];
        int document = first;
        for (; document <= end - DotProduct.Rows; document += DotProduct.Rows)
        {
            DotProduct.FourRows(Row(document), query, Dimension, scores);
            for (int r = 0; r < DotProduct.Rows; r++)
            {
                queue.Push(scores[r], ranks[document + r]);
            }
        }

        for (; document < end; document++)
        {
            queue.Push(DotProduct.One(Row(document), query, Dimension), ranks[document]);
        }
    }

    private void SearchRowsForTwo(int first, int end, float* queries, TopKQueue one, TopKQueue two)
    {
        ReadOnlySpan<int> ranks = _ids.Ranks;
        float* scores = stackalloc float[2 * DotProduct.Rows];
        int document = first;
        for (; document <= end - DotProduct.Rows; document += DotProduct.Rows)
        {
            DotProduct.FourRowsTwoQueries(Row(document), queries, Dimension, scores);
            for (int r = 0; r < DotProduct.Rows; r++)
            {
                one.Push(scores[r], ranks[document + r]);
                two.Push(scores[DotProduct.Rows + r], ranks[document + r]);
            }
        }

        SearchRows(document, end, queries, one);
        SearchRows(document, end, queries + Dimension, two);
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

    private float* Row(int document) => _vectors + ((nint)document * Dimension);

    private TopKQueue Rent()
    {
        lock (_poolLock)
        {
            return _pool.TryPop(out TopKQueue? queue) ? queue : new TopKQueue();
        }
    }

    private void Return(TopKQueue queue)
    {
        lock (_poolLock)
        {
            _pool.Push(queue);
        }
    }
}
