using Tern.Retrieval;

namespace Tern;

/// <summary>Dense vectors over the flat index.</summary>
internal sealed class DenseEngine(DenseIndex index, RetrieverModel model) : IQueryEngine
{
    private readonly ScratchPool<float[]> _vectors = new(() => new float[model.Dimension]);

    public int DocumentCount => index.DocumentCount;

    public long ByteCount => index.ByteCount;

    public string ExternalId(int docId) => index.ExternalId(docId);

    public bool TryFind(string externalId, out int docId) => index.TryFind(externalId, out docId);

    public Hit[][] SearchAll(IReadOnlyList<string> queries, int k, CancellationToken cancellationToken) =>
        index.SearchBatch(model.EncodeDense(queries, RetrievalSide.Query, cancellationToken), k);

    public int Search(ReadOnlySpan<char> query, Span<Hit> hits, CancellationToken cancellationToken)
    {
        float[] vector = _vectors.Rent();
        try
        {
            model.EncodeDense(query, RetrievalSide.Query, vector, cancellationToken);
            return Search(index, vector, hits);
        }
        finally
        {
            _vectors.Return(vector);
        }
    }

    public IEncodedQuery Encode(string query) => new EncodedQuery(index, model.EncodeDense([query], RetrievalSide.Query)[0]);

    public async Task<IEncodedQuery> EncodeAsync(string query, CancellationToken cancellationToken)
    {
        EncodedTexts<float[]> encoded = await model.EncodeDenseAsync([query], RetrievalSide.Query, cancellationToken).ConfigureAwait(false);
        return new EncodedQuery(index, encoded.Vectors[0]);
    }

    public void Dispose() => index.Dispose();

    private static int Search(DenseIndex index, ReadOnlySpan<float> vector, Span<Hit> hits)
    {
        long begun = Telemetry.BeginSearch();
        int count = index.Search(vector, hits);
        Telemetry.EndSearch(begun, IndexKind.Dense);
        return count;
    }

    private sealed class EncodedQuery(DenseIndex index, float[] vector) : IEncodedQuery
    {
        public IReadOnlyList<QueryTerm> Terms => [];

        public Hit[] Search(int k)
        {
            var hits = new Hit[Math.Min(k, index.DocumentCount)];
            return hits[..DenseEngine.Search(index, vector, hits)];
        }

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
