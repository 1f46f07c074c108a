using Tern.Retrieval;
using Tern.Text;

namespace Tern;

/// <summary>BM25 over English word stems.</summary>
internal sealed class Bm25Engine(Bm25Index index) : IQueryEngine
{
    public int DocumentCount => index.DocumentCount;

    public long ByteCount => index.ByteCount;

    public string ExternalId(int docId) => index.ExternalId(docId);

    public bool TryFind(string externalId, out int docId) => index.Index.TryFind(externalId, out docId);

    public Hit[][] SearchAll(IReadOnlyList<string> queries, int k, CancellationToken cancellationToken) =>
        index.Index.SearchBatch([.. queries.Select(text => index.Query(Analyze(text)))], k);

    public IEncodedQuery Encode(string query) => new EncodedQuery(index, Analyze(query));

    public void Dispose() => index.Dispose();

    private static List<string> Analyze(string text)
    {
        List<string> terms = [];
        WordAnalyzer.English.Analyze(text, terms);
        return terms;
    }

    private sealed class EncodedQuery(Bm25Index index, List<string> terms) : IEncodedQuery
    {
        public IReadOnlyList<QueryTerm> Terms =>
            [.. terms.CountBy(t => t).OrderByDescending(t => t.Value).Select(t => new QueryTerm(t.Key, t.Value, false))];

        public Hit[] Search(int k) => index.Search(terms, k);

        public (float Score, IReadOnlyList<MatchedTerm> Terms, IReadOnlyList<int> TermIds) Explain(int docId)
        {
            Explanation explanation = index.Explain(docId, terms);
            MatchedTerm[] matched = [.. explanation.Terms.Select(t => new MatchedTerm(index.Word(t.Term), t.QueryWeight, t.DocumentWeight, t.Contribution, false))];
            return (explanation.Score, matched, []);
        }
    }
}
