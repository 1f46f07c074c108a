using Tern.Retrieval;

namespace Tern;

/// <summary>Learned sparse vectors over the inverted index.</summary>
internal sealed class SparseEngine(SegmentedIndex index, RetrieverModel model, SparseSearchOptions options, QualityChoice? quality) : IQueryEngine
{
    // More terms than an index searches are not needed; the heaviest stay.
    private const int MostTerms = 8192;

    private readonly ScratchPool<(int[] Terms, float[] Weights)> _vectors = new(() => (new int[Math.Min(MostTerms, model.Dimension)], new float[Math.Min(MostTerms, model.Dimension)]));

    /// <summary>Null for exact searches.</summary>
    public QualityChoice? Quality => quality;

    public int DocumentCount => index.DocumentCount;

    public long ByteCount => index.ByteCount;

    public string ExternalId(int docId) => index.ExternalId(docId);

    public bool TryFind(string externalId, out int docId) => index.TryFind(externalId, out docId);

    public ReadOnlySpan<byte> Payload(string id) => index.TryFind(id, out int docId) ? index.Payload(docId) : default;

    public Hit[][] SearchAll(IReadOnlyList<string> queries, int k, CancellationToken cancellationToken) =>
        index.SearchBatch(model.EncodeSparse(queries, RetrievalSide.Query, cancellationToken), k, options: Options(k));

    public int Search(ReadOnlySpan<char> query, Span<Hit> hits, CancellationToken cancellationToken)
    {
        (int[] Terms, float[] Weights) vector = _vectors.Rent();
        try
        {
            int count = model.EncodeSparse(query, RetrievalSide.Query, vector.Terms, vector.Weights, cancellationToken);
            return Search(vector.Terms.AsSpan(0, count), vector.Weights.AsSpan(0, count), hits);
        }
        finally
        {
            _vectors.Return(vector);
        }
    }

    public IEncodedQuery Encode(string query) => new EncodedQuery(this, query, model.EncodeSparse([query], RetrievalSide.Query)[0]);

    public async Task<IEncodedQuery> EncodeAsync(string query, CancellationToken cancellationToken)
    {
        EncodedTexts<SparseVector> encoded = await model.EncodeSparseAsync([query], RetrievalSide.Query, cancellationToken).ConfigureAwait(false);
        return new EncodedQuery(this, query, encoded.Vectors[0]);
    }

    public void Dispose() => index.Dispose();

    private int Search(ReadOnlySpan<int> terms, ReadOnlySpan<float> weights, Span<Hit> hits)
    {
        long begun = Telemetry.BeginSearch();
        int count = index.Search(terms, weights, hits, Options(hits.Length));
        Telemetry.EndSearch(begun, IndexKind.Sparse);
        return count;
    }

    private SparseSearchOptions Options(int k) => quality is null ? options : options with { Approximation = quality.Approximation(k) };

    private HashSet<int> OwnTokens(string text)
    {
        List<int> tokens = [];
        model.Tokenizer.Encode(text, model.Contract.TokenizationFor(RetrievalSide.Query), tokens);
        return [.. tokens];
    }

    private sealed class EncodedQuery(SparseEngine engine, string text, SparseVector vector) : IEncodedQuery
    {
        private readonly Lazy<HashSet<int>> _ownTokens = new(() => engine.OwnTokens(text));

        public IReadOnlyList<QueryTerm> Terms =>
        [
            .. vector.Terms.ToArray().Zip(vector.Weights.ToArray())
                .OrderByDescending(t => t.Second).ThenBy(t => t.First)
                .Select(t => new QueryTerm(engine.TermText(t.First), t.Second, !_ownTokens.Value.Contains(t.First))),
        ];

        public Hit[] Search(int k)
        {
            var hits = new Hit[Math.Min(k, engine.DocumentCount)];
            return hits[..engine.Search(vector.Terms.Span, vector.Weights.Span, hits)];
        }

        public (float Score, IReadOnlyList<MatchedTerm> Terms, IReadOnlyList<int> TermIds) Explain(int docId)
        {
            Explanation explanation = engine.Index.Explain(docId, vector);
            MatchedTerm[] terms = [.. explanation.Terms.Select(t => new MatchedTerm(engine.TermText(t.Term), t.QueryWeight, t.DocumentWeight, t.Contribution, !_ownTokens.Value.Contains(t.Term)))];
            return (explanation.Score, terms, [.. explanation.Terms.Select(t => t.Term)]);
        }
    }

    private SegmentedIndex Index => index;

    private string TermText(int term) => model.Tokenizer.TokenText(term);
}
