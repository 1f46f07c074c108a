using Tern.Compute;
using Tern.Retrieval;

namespace Tern;

/// <summary>Dense vectors over the flat index.</summary>
internal sealed class DenseEngine(SegmentedIndex index, RetrieverModel model, DocumentFilter? filter) : IQueryEngine
{
    /// <summary>Sending the index to a device is worth it for a batch, not for a query or two.</summary>
    private const int LeastForDevice = 32;

    private readonly ScratchPool<float[]> _vectors = new(() => new float[model.Dimension]);
    private readonly Lock _deviceLock = new();
    private IBackend? _device; // its own: the model's may be encoding
    private volatile bool _isTooLarge; // for the device's memory

    public int DocumentCount => index.DocumentCount;

    public long ByteCount => index.ByteCount;

    public string ExternalId(int docId) => index.ExternalId(docId);

    public bool TryFind(string externalId, out int docId) => index.TryFind(externalId, out docId);

    public ReadOnlySpan<byte> Payload(string id) => index.TryFind(id, out int docId) ? index.Payload(docId) : default;

    public Hit[][] SearchAll(IReadOnlyList<string> queries, int k, CancellationToken cancellationToken)
    {
        float[][] vectors = model.EncodeDense(queries, RetrievalSide.Query, cancellationToken);
        if (model.HasSearchDevice && vectors.Length >= LeastForDevice && !_isTooLarge)
        {
            lock (_deviceLock)
            {
                try
                {
                    return index.SearchBatch(vectors, k, filter: filter, device: _device ??= model.CreateSearchDevice());
                }
                catch (OutOfMemoryException)
                {
                    _isTooLarge = true;
                }
            }
        }

        return index.SearchBatch(vectors, k, filter: filter);
    }

    public int Search(ReadOnlySpan<char> query, Span<Hit> hits, CancellationToken cancellationToken)
    {
        float[] vector = _vectors.Rent();
        try
        {
            model.EncodeDense(query, RetrievalSide.Query, vector, cancellationToken);
            return Search(vector, hits);
        }
        finally
        {
            _vectors.Return(vector);
        }
    }

    public IEncodedQuery Encode(string query) => new EncodedQuery(this, index, model.EncodeDense([query], RetrievalSide.Query)[0]);

    public async Task<IEncodedQuery> EncodeAsync(string query, CancellationToken cancellationToken)
    {
        EncodedTexts<float[]> encoded = await model.EncodeDenseAsync([query], RetrievalSide.Query, cancellationToken).ConfigureAwait(false);
        return new EncodedQuery(this, index, encoded.Vectors[0]);
    }

    public void Dispose()
    {
        index.Dispose();
        _device?.Dispose();
    }

    private int Search(ReadOnlySpan<float> vector, Span<Hit> hits)
    {
        long begun = Telemetry.BeginSearch();
        int count = index.Search(vector, hits, filter);
        Telemetry.EndSearch(begun, IndexKind.Dense);
        return count;
    }

    private sealed class EncodedQuery(DenseEngine engine, SegmentedIndex index, float[] vector) : IEncodedQuery
    {
        public IReadOnlyList<QueryTerm> Terms => [];

        public Hit[] Search(int k)
        {
            var hits = new Hit[Math.Min(k, index.DocumentCount)];
            return hits[..engine.Search(vector, hits)];
        }

        public (float Score, IReadOnlyList<MatchedTerm> Terms, IReadOnlyList<int> TermIds) Explain(int docId)
        {
            double score = 0;
            ReadOnlySpan<float> document = index.DenseVector(docId);
            for (int i = 0; i < vector.Length; i++)
            {
                score += (double)vector[i] * document[i];
            }

            return ((float)score, [], []);
        }
    }
}
