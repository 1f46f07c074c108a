using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>What one shared term adds to a document's score; the weight of the document is as the index stores it.</summary>
public readonly record struct TermContribution(int Term, float QueryWeight, float DocumentWeight, float Contribution);

/// <summary>A document's score for a query with its parts, the largest first. The parts add up to the score, but for rounding.</summary>
public sealed record Explanation(float Score, IReadOnlyList<TermContribution> Terms);

/// <summary>
/// A memory-mapped inverted index over sparse vectors: exact top-k on the stored impacts, under the total order of
/// <see cref="Hit"/>. Any number of threads may search at once; dispose it when no search is running.
/// </summary>
public sealed unsafe class SparseIndex : IDisposable
{
    private readonly IndexManifest _manifest;
    private readonly SectionFile _file;
    private readonly ExternalIds _ids;
    private readonly Postings _postings;
    private readonly Lock _poolLock = new();
    private readonly Stack<SearchContext> _pool = new();
    private readonly ulong* _forwardStarts;
    private readonly int* _forwardTerms;
    private bool _disposed;

    private SparseIndex(IndexManifest manifest, SectionFile file)
    {
        _manifest = manifest;
        _file = file;
        _postings = new Postings(file);
        SegmentParameters p = _postings.Parameters;
        if (p.DocumentCount != manifest.DocumentCount || p.PostingCount != manifest.ValueCount || p.VocabularySize != manifest.Dimension)
        {
            throw file.InvalidElement("params", $"{p.DocumentCount} documents, {p.PostingCount} postings, {p.VocabularySize} terms disagree with {IndexManifest.FileName}; build the index again");
        }

        _ids = new ExternalIds(file, p.DocumentCount);
        _forwardStarts = file.Pointer<ulong>("fwdstart", (long)p.DocumentCount + 1);
        _forwardTerms = file.Pointer<int>("fwdterm", p.PostingCount);
        Words = file.Has("wrdstart") ? new WordTable(file, p.VocabularySize) : null;
    }

    public int DocumentCount => _manifest.DocumentCount;

    public int VocabularySize => _manifest.Dimension;

    public long PostingCount => _manifest.ValueCount;

    public ImpactPrecision Precision => _postings.Precision;

    /// <summary>Of the model whose vectors these are; empty when the builder gave none.</summary>
    public string Fingerprint => _manifest.Fingerprint;

    /// <summary>Size on disk without the manifest.</summary>
    public long ByteCount => _file.ByteCount;

    internal WordTable? Words { get; }

    internal Postings Postings => _postings;

    /// <summary>
    /// Opens an index. With <paramref name="verify"/> every checksum is compared, a fraction of a second per gigabyte;
    /// without, only the header and the tables, for a large index that <see cref="Verify"/> has seen. Damage is an
    /// <see cref="InvalidDataException"/> naming file, section and offset.
    /// </summary>
    public static SparseIndex Open(string directory, bool verify = true)
    {
        IndexManifest manifest = IndexManifest.Load(directory, "sparse");
        SectionFile file = manifest.OpenSegment(directory, SegmentFormat.Magic);
        try
        {
            if (verify)
            {
                file.Verify();
            }

            return new SparseIndex(manifest, file);
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
    /// Fills <paramref name="hits"/> with the best documents that share a term with the query and returns how many there
    /// are. Terms need no order and unknown ones count nothing; weights must be finite and not negative. At most 8192
    /// terms. After a thread's first search it allocates nothing.
    /// </summary>
    public int Search(ReadOnlySpan<int> terms, ReadOnlySpan<float> weights, Span<Hit> hits, SearchAlgorithm? algorithm = null)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CheckQuery(terms, weights);
        if (hits.IsEmpty)
        {
            return 0;
        }

        SearchContext context = Rent();
        try
        {
            context.Prepare(_postings, terms, weights, Math.Min(hits.Length, DocumentCount));
            (algorithm ?? SearchAlgorithms.Default).Search(_postings, context);
            return context.Queue.Drain(_ids.Order, hits);
        }
        catch
        {
            context.Clear();
            throw;
        }
        finally
        {
            Return(context);
        }
    }

    /// <summary>The best <paramref name="k"/> documents.</summary>
    public Hit[] Search(SparseVector query, int k)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        var hits = new Hit[Math.Min(k, DocumentCount)];
        int count = Search(query.TermSpan, query.WeightSpan, hits);
        return count == hits.Length ? hits : hits[..count];
    }

    /// <summary>Many queries over several threads, one query a thread at a time; results in the order of the queries.</summary>
    public Hit[][] SearchBatch(IReadOnlyList<SparseVector> queries, int k, int threadCount = 0)
    {
        var results = new Hit[queries.Count][];
        var options = new ParallelOptions { MaxDegreeOfParallelism = threadCount > 0 ? threadCount : Environment.ProcessorCount };
        Parallel.For(0, queries.Count, options, i => results[i] = Search(queries[i], k));
        return results;
    }

    public string ExternalId(int docId) => _ids.Text(docId);

    /// <summary>The ordinal of an external id.</summary>
    public bool TryFind(string externalId, out int docId) => _ids.TryFind(externalId, out docId);

    /// <summary>In how many documents a term occurs.</summary>
    public int DocumentFrequency(int term) => _postings.DocumentFrequency(term);

    /// <summary>A document's vector as stored: quantised impacts times the scale, or the float32 weights.</summary>
    public SparseVector Vector(int docId)
    {
        (long start, int count) = ForwardRange(docId);
        var weights = new float[count];
        for (int i = 0; i < count; i++)
        {
            weights[i] = StoredWeight(start + i);
        }

        return SparseVector.Trusted(new ReadOnlySpan<uint>(_forwardTerms + start, count), weights);
    }

    /// <summary>Why a document scores what it scores: the same arithmetic as the search, term by term.</summary>
    public Explanation Explain(int docId, SparseVector query)
    {
        CheckQuery(query.TermSpan, query.WeightSpan);
        (long start, int count) = ForwardRange(docId);
        var quantized = new int[query.Count];
        float queryScale = QueryQuantizer.Quantize(query.WeightSpan, quantized);
        float scale = queryScale * _postings.Parameters.ImpactScale;
        bool isByte = Precision == ImpactPrecision.Byte;
        byte* impacts = isByte ? _file.Pointer<byte>("fwdval", PostingCount) : null;
        var terms = new ReadOnlySpan<int>(_forwardTerms + start, count);
        var parts = new List<TermContribution>();
        int sum = 0;
        float floatSum = 0f;
        for (int i = 0; i < query.Count; i++)
        {
            int at = terms.BinarySearch(query.TermSpan[i]);
            if (at >= 0)
            {
                float weight = StoredWeight(start + at);
                int product = isByte ? quantized[i] * impacts[start + at] : 0;
                float part = isByte ? product * scale : query.WeightSpan[i] * weight;
                sum += product;
                floatSum += part;
                parts.Add(new TermContribution(query.TermSpan[i], query.WeightSpan[i], weight, part));
            }
        }

        parts.Sort((a, b) => a.Contribution != b.Contribution ? b.Contribution.CompareTo(a.Contribution) : a.Term.CompareTo(b.Term));
        return new Explanation(isByte ? sum * scale : floatSum, parts);
    }

    public void Dispose()
    {
        _disposed = true;
        lock (_poolLock)
        {
            while (_pool.TryPop(out SearchContext? context))
            {
                context.Dispose();
            }
        }

        _file.Dispose();
    }

    private static void CheckQuery(ReadOnlySpan<int> terms, ReadOnlySpan<float> weights)
    {
        if (terms.Length != weights.Length)
        {
            throw new ArgumentException($"a query needs one weight per term: {terms.Length} terms, {weights.Length} weights", nameof(weights));
        }

        if (terms.Length > QueryQuantizer.MaxTermCount)
        {
            throw new ArgumentException($"a query of {terms.Length} terms; at most {QueryQuantizer.MaxTermCount} are searched: keep the heaviest", nameof(terms));
        }

        for (int i = 0; i < weights.Length; i++)
        {
            if (!(weights[i] >= 0f) || float.IsInfinity(weights[i]))
            {
                throw new ArgumentException($"query term {terms[i]} has weight {weights[i]}; weights must be finite and not negative", nameof(weights));
            }
        }
    }

    private (long Start, int Count) ForwardRange(int docId)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if ((uint)docId >= (uint)DocumentCount)
        {
            throw new ArgumentOutOfRangeException(nameof(docId), $"document {docId} of an index with {DocumentCount} documents");
        }

        return ((long)_forwardStarts[docId], (int)(_forwardStarts[docId + 1] - _forwardStarts[docId]));
    }

    private float StoredWeight(long position) => Precision == ImpactPrecision.Byte
        ? _file.Pointer<byte>("fwdval", PostingCount)[position] * _postings.Parameters.ImpactScale
        : _file.Pointer<float>("fwdval", PostingCount)[position];

    private SearchContext Rent()
    {
        lock (_poolLock)
        {
            if (_pool.TryPop(out SearchContext? context))
            {
                return context;
            }
        }

        var created = new SearchContext();
        created.Clear();
        return created;
    }

    private void Return(SearchContext context)
    {
        lock (_poolLock)
        {
            _pool.Push(context);
        }
    }
}
