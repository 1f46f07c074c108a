using Tern.Retrieval;

namespace Tern;

/// <summary>Learned sparse vectors over the inverted index.</summary>
internal sealed class SparseEngine(SparseIndex index, RetrieverModel model) : IQueryEngine
{
    public int DocumentCount => index.DocumentCount;

    public long ByteCount => index.ByteCount;

    public string ExternalId(int docId) => index.ExternalId(docId);

    public bool TryFind(string externalId, out int docId) => index.TryFind(externalId, out docId);

    public Hit[][] SearchAll(IReadOnlyList<string> queries, int k, CancellationToken cancellationToken) =>
        index.SearchBatch(model.EncodeSparse(queries, RetrievalSide.Query, cancellationToken), k);

    public IEncodedQuery Encode(string query) => new EncodedQuery(this, query, model.EncodeSparse([query], RetrievalSide.Query)[0]);

    public void Dispose() => index.Dispose();

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

        public Hit[] Search(int k) => engine.Index.Search(vector, k);

        public (float Score, IReadOnlyList<MatchedTerm> Terms, IReadOnlyList<int> TermIds) Explain(int docId)
        {
            Explanation explanation = engine.Index.Explain(docId, vector);
            MatchedTerm[] terms = [.. explanation.Terms.Select(t => new MatchedTerm(engine.TermText(t.Term), t.QueryWeight, t.DocumentWeight, t.Contribution, !_ownTokens.Value.Contains(t.Term)))];
            return (explanation.Score, terms, [.. explanation.Terms.Select(t => t.Term)]);
        }
    }

    private SparseIndex Index => index;

    private string TermText(int term) => model.Tokenizer.TokenText(term);
}
