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
    private readonly ForwardIndex? _forward;
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
        _forward = p.ForwardCode != 0 ? new ForwardIndex(file, _postings) : null;
        Words = file.Has("wrdstart") ? new WordTable(file, p.VocabularySize) : null;
    }

    public int DocumentCount => _manifest.DocumentCount;

    public int VocabularySize => _manifest.Dimension;

    public long PostingCount => _manifest.ValueCount;

    public ImpactPrecision Precision => _postings.Precision;

    /// <summary>How the ids of long lists are stored.</summary>
    public PostingLayout Layout => _postings.Layout;

    /// <summary>What scores are made of unless a search asks for something else.</summary>
    public ScoringMode Scoring => Precision == ImpactPrecision.Float32 ? ScoringMode.Float32 : ScoringMode.Impacts;

    /// <summary>Whether documents' vectors are stored, for <see cref="Vector"/> and <see cref="Explain"/>.</summary>
    public bool HasForward => _forward is not null;

    /// <summary>Of the model whose vectors these are; empty when the builder gave none.</summary>
    public string Fingerprint => _manifest.Fingerprint;

    /// <summary>Size on disk without the manifest.</summary>
    public long ByteCount => _file.ByteCount;

    /// <summary>Of it what search reads: the term table, the postings and their block maxima.</summary>
    public long SearchByteCount => _file.Place("terms").Length + _file.Place("postings").Length + _file.Place("maxima").Length;

    /// <summary>The vector kernels that searches use on this machine.</summary>
    public static string KernelName => Kernels.SearchKernels.Current.Name;

    internal WordTable? Words { get; }

    internal ulong HeaderHash => _file.HeaderHash;

    /// <summary>What one unit of an impact is worth.</summary>
    internal float ImpactScale => _postings.Parameters.ImpactScale;

    internal Postings Postings => _postings;

    /// <summary>
    /// Opens an index. With <paramref name="verify"/> every checksum is compared, a fraction of a second per gigabyte;
    /// without, only the header and the tables now, and lists and vectors when a search first uses them. Damage is an
    /// <see cref="InvalidDataException"/> naming file, section and offset.
    /// </summary>
    public static SparseIndex Open(string directory, bool verify = true)
    {
        GenerationFiles.RefuseUpdated(directory);
        return Open(PhysicalFiles.Instance, directory, verify);
    }

    internal static SparseIndex Open(IFileSystem files, string directory, bool verify)
    {
        IndexManifest manifest = IndexManifest.Load(files, directory, "sparse");
        SectionFile file = manifest.OpenSegment(files, directory, SegmentFormat.Magic);
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

    /// <summary>Looks at the structure of every list and its maxima, every document's vector and every word, as searches do of what they read.</summary>
    internal void CheckStructure()
    {
        _ids.CheckRanks();
        for (int row = 0; row < _postings.Parameters.TermCount; row++)
        {
            _ = _postings.List(row);
            if (_postings.Entry(row)->IsLong)
            {
                _postings.Maxima(row);
            }
        }

        for (int document = 0; document < DocumentCount && _forward is not null; document++)
        {
            _forward.Vector(document);
        }

        for (int term = 0; Words is not null && term < Words.Count; term++)
        {
            Words.Word(term);
        }
    }

    /// <summary>
    /// Fills <paramref name="hits"/> with the best documents that share a term with the query and returns how many there
    /// are. Terms need no order and unknown ones count nothing; weights must be finite and not negative. At most 8192
    /// terms. After a thread's first search it allocates nothing.
    /// </summary>
    public int Search(ReadOnlySpan<int> terms, ReadOnlySpan<float> weights, Span<Hit> hits, in SparseSearchOptions options = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CheckQuery(terms, weights);
        ScoringMode scoring = CheckOptions(options);
        if (hits.IsEmpty)
        {
            return 0;
        }

        // Searches read ranks by pointer.
        _ids.CheckRanks();
        SearchContext context = Rent();
        try
        {
            SearchAlgorithm algorithm = options.Algorithm ?? SearchAlgorithms.Default;
            context.Prepare(_postings, terms, weights, Math.Min(hits.Length, DocumentCount), options.Filter, options.Approximation, options.Kernels);
            if (scoring == ScoringMode.Float32 && options.Approximation is not null)
            {
                Float32Search.SearchApproximately(_postings, _forward!, context, _ids.Order, terms, weights, algorithm, options.MinScore);
            }
            else if (scoring == ScoringMode.Float32)
            {
                Float32Search.Search(_postings, _forward!, context, _ids.Order, terms, weights, algorithm, options.MinScore);
            }
            else
            {
                context.RequireScore(options.MinScore);
                algorithm.Search(_postings, context);
            }

            if (options.Counter is { } counter)
            {
                counter.Cost += context.Cost;
            }

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
    public Hit[] Search(SparseVector query, int k, in SparseSearchOptions options = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        var hits = new Hit[Math.Min(k, DocumentCount)];
        int count = Search(query.TermSpan, query.WeightSpan, hits, options);
        return count == hits.Length ? hits : hits[..count];
    }

    /// <summary>Many queries over several threads, one query a thread at a time; results in the order of the queries.</summary>
    public Hit[][] SearchBatch(IReadOnlyList<SparseVector> queries, int k, int threadCount = 0, SparseSearchOptions options = default)
    {
        var results = new Hit[queries.Count][];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = threadCount > 0 ? threadCount : Environment.ProcessorCount };
        Parallel.For(0, queries.Count, parallel, i => results[i] = Search(queries[i], k, options));
        return results;
    }

    public string ExternalId(int docId) => _ids.Text(docId);

    /// <summary>The ordinal of an external id.</summary>
    public bool TryFind(string externalId, out int docId) => _ids.TryFind(externalId, out docId);

    internal ReadOnlySpan<byte> IdBytes(int docId) => _ids.Bytes(docId);

    internal bool TryFind(ReadOnlySpan<byte> utf8, out int docId) => _ids.TryFind(utf8, out docId);

    /// <summary>In how many documents a term occurs.</summary>
    public int DocumentFrequency(int term) => _postings.DocumentFrequency(term);

    /// <summary>A document's vector as stored: quantised impacts times the scale, or the float32 weights. Needs <see cref="HasForward"/>.</summary>
    public SparseVector Vector(int docId) => Forward(docId).Vector(docId);

    /// <summary>
    /// Why a document scores what it scores: the same arithmetic as a search in the index's own <see cref="Scoring"/>, term
    /// by term. Needs <see cref="HasForward"/>.
    /// </summary>
    public Explanation Explain(int docId, SparseVector query)
    {
        CheckQuery(query.TermSpan, query.WeightSpan);
        SparseVector document = Forward(docId).Vector(docId);
        var quantized = new int[query.Count];
        float impactScale = _postings.Parameters.ImpactScale;
        float scale = QueryQuantizer.Quantize(query.WeightSpan, quantized) * impactScale;
        bool isFloat = Scoring == ScoringMode.Float32;
        var parts = new List<TermContribution>();
        int sum = 0;
        float floatSum = 0f;
        for (int i = 0; i < query.Count; i++)
        {
            int at = document.TermSpan.BinarySearch(query.TermSpan[i]);
            if (at >= 0)
            {
                float weight = document.WeightSpan[at];
                int product = isFloat ? 0 : quantized[i] * (int)MathF.Round(weight / impactScale);
                float part = isFloat ? query.WeightSpan[i] * weight : product * scale;
                sum += product;
                floatSum += part;
                parts.Add(new TermContribution(query.TermSpan[i], query.WeightSpan[i], weight, part));
            }
        }

        parts.Sort((a, b) => a.Contribution != b.Contribution ? b.Contribution.CompareTo(a.Contribution) : a.Term.CompareTo(b.Term));
        return new Explanation(isFloat ? floatSum : sum * scale, parts);
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

    private ScoringMode CheckOptions(in SparseSearchOptions options)
    {
        if (options.Filter is { } filter && filter.DocumentCount != DocumentCount)
        {
            throw new ArgumentException($"the filter is for an index of {filter.DocumentCount} documents; this one has {DocumentCount}", nameof(options));
        }

        options.Approximation?.Check();
        if (!(options.MinScore >= 0f))
        {
            throw new ArgumentException($"the least score must not be negative: {options.MinScore}", nameof(options));
        }

        ScoringMode scoring = options.Scoring ?? Scoring;
        return scoring == ScoringMode.Impacts || Precision == ImpactPrecision.Float32
            ? scoring
            : throw new ArgumentException("float32 scores need float32 weights, and this index keeps 8 bits; build it with precision float32", nameof(options));
    }

    private ForwardIndex Forward(int docId)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if ((uint)docId >= (uint)DocumentCount)
        {
            throw new ArgumentOutOfRangeException(nameof(docId), $"document {docId} of an index with {DocumentCount} documents");
        }

        return _forward ?? throw new InvalidOperationException("this index was built without documents' vectors (a forward index); build it with them");
    }

    private SearchContext Rent()
    {
        lock (_poolLock)
        {
            if (_pool.TryPop(out SearchContext? context))
            {
                return context;
            }
        }

        return new SearchContext();
    }

    private void Return(SearchContext context)
    {
        lock (_poolLock)
        {
            _pool.Push(context);
        }
    }
}
