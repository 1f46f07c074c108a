using System.Runtime.InteropServices;
using Tern.Retrieval;
using Tern.Text;

namespace Tern;

/// <summary>BM25 over English word stems.</summary>
internal sealed class Bm25Engine(Bm25Index index, DocumentStore documents, DocumentFilter? filter) : IQueryEngine
{
    private readonly ScratchPool<QueryTerms> _queries = new(static () => new QueryTerms());

    public int DocumentCount => index.DocumentCount;

    public long ByteCount => index.ByteCount;

    public string ExternalId(int docId) => index.ExternalId(docId);

    public bool TryFind(string externalId, out int docId) => index.Index.TryFind(externalId, out docId);

    public ReadOnlySpan<byte> Payload(string id) => documents.TryGet(id, out ReadOnlySpan<byte> payload) ? payload : default;

    public Hit[][] SearchAll(IReadOnlyList<string> queries, int k, CancellationToken cancellationToken) =>
        index.Index.SearchBatch([.. queries.Select(text => index.Query(Analyze(text)))], k, options: new SparseSearchOptions { Filter = filter });

    public int Search(ReadOnlySpan<char> query, Span<Hit> hits, CancellationToken cancellationToken)
    {
        QueryTerms terms = _queries.Rent();
        try
        {
            terms.Clear();
            var sink = new KnownTerms(index, terms);
            WordAnalyzer.English.Analyze(query, ref sink);
            terms.Count();
            return Search(terms.Terms, terms.Weights, hits);
        }
        finally
        {
            _queries.Return(terms);
        }
    }

    public IEncodedQuery Encode(string query) => new EncodedQuery(this, index, Analyze(query));

    public Task<IEncodedQuery> EncodeAsync(string query, CancellationToken cancellationToken) => Task.FromResult(Encode(query));

    public void Dispose()
    {
        index.Dispose();
        documents.Dispose();
    }

    private static List<string> Analyze(string text)
    {
        List<string> terms = [];
        WordAnalyzer.English.Analyze(text, terms);
        return terms;
    }

    private int Search(ReadOnlySpan<int> terms, ReadOnlySpan<float> weights, Span<Hit> hits)
    {
        long begun = Telemetry.BeginSearch();
        int count = index.Index.Search(terms, weights, hits, new SparseSearchOptions { Filter = filter });
        Telemetry.EndSearch(begun, IndexKind.Bm25);
        return count;
    }

    /// <summary>Takes the terms that the index knows.</summary>
    private readonly struct KnownTerms(Bm25Index index, QueryTerms terms) : ITermSink
    {
        public void Add(ReadOnlySpan<char> term)
        {
            if (index.TryFindTerm(term, out int id))
            {
                terms.Add(id);
            }
        }
    }

    /// <summary>The term ids of a query and how often it has each.</summary>
    private sealed class QueryTerms
    {
        private readonly List<int> _terms = [];
        private readonly List<float> _weights = [];

        public ReadOnlySpan<int> Terms => CollectionsMarshal.AsSpan(_terms);

        public ReadOnlySpan<float> Weights => CollectionsMarshal.AsSpan(_weights);

        public void Add(int term) => _terms.Add(term);

        public void Clear()
        {
            _terms.Clear();
            _weights.Clear();
        }

        /// <summary>Replaces repeated terms by one with their number as weight.</summary>
        public void Count()
        {
            Span<int> terms = CollectionsMarshal.AsSpan(_terms);
            terms.Sort();
            int kept = 0;
            foreach (int term in terms)
            {
                if (kept > 0 && terms[kept - 1] == term)
                {
                    CollectionsMarshal.AsSpan(_weights)[kept - 1]++;
                }
                else
                {
                    terms[kept++] = term;
                    _weights.Add(1f);
                }
            }

            _terms.RemoveRange(kept, _terms.Count - kept);
        }
    }

    private sealed class EncodedQuery(Bm25Engine engine, Bm25Index index, List<string> terms) : IEncodedQuery
    {
        public IReadOnlyList<QueryTerm> Terms =>
            [.. terms.CountBy(t => t).OrderByDescending(t => t.Value).Select(t => new QueryTerm(t.Key, t.Value, false))];

        public Hit[] Search(int k)
        {
            var hits = new Hit[Math.Min(k, index.DocumentCount)];
            SparseVector query = index.Query(terms);
            return hits[..engine.Search(query.Terms.Span, query.Weights.Span, hits)];
        }

        public (float Score, IReadOnlyList<MatchedTerm> Terms, IReadOnlyList<int> TermIds) Explain(int docId)
        {
            Explanation explanation = index.Explain(docId, terms);
            MatchedTerm[] matched = [.. explanation.Terms.Select(t => new MatchedTerm(index.Word(t.Term), t.QueryWeight, t.DocumentWeight, t.Contribution, false))];
            return (explanation.Score, matched, []);
        }
    }
}
