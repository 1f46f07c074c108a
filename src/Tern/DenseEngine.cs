using Tern.Retrieval;

namespace Tern;

/// <summary>Dense vectors over the flat index.</summary>
internal sealed class DenseEngine(DenseIndex index, RetrieverModel model) : IQueryEngine
{
    public int DocumentCount => index.DocumentCount;

    public long ByteCount => index.ByteCount;

    public string ExternalId(int docId) => index.ExternalId(docId);

    public bool TryFind(string externalId, out int docId) => index.TryFind(externalId, out docId);

    public Hit[][] SearchAll(IReadOnlyList<string> queries, int k, CancellationToken cancellationToken) =>
        index.SearchBatch(model.EncodeDense(queries, RetrievalSide.Query, cancellationToken), k);

    public IEncodedQuery Encode(string query) => new EncodedQuery(index, model.EncodeDense([query], RetrievalSide.Query)[0]);

    public void Dispose() => index.Dispose();

    private sealed class EncodedQuery(DenseIndex index, float[] vector) : IEncodedQuery
    {
        public IReadOnlyList<QueryTerm> Terms => [];

        public Hit[] Search(int k) => index.Search(vector, k);

        public (float Score, IReadOnlyList<MatchedTerm> Terms, IReadOnlyList<int> TermIds) Explain(int docId)
        {
            double score = 0;
            ReadOnlySpan<float> document = index.Vector(docId);
            for (int i = 0; i < vector.Length; i++)
            {
                score += (double)vector[i] * document[i];
            }

            return ((float)score, [], []);
        }
    }
}
