using Tern.Model;
using Tern.Retrieval;
using Tern.Text;

namespace Tern.Pipelines.Teaching;

/// <summary>The product of the two texts' vectors. Keeps documents' vectors while they fit into its memory, as hard negatives come back often.</summary>
public sealed class RetrieverScorer(RetrieverModel model, long cacheBytes = 256 << 20) : IPairScorer
{
    private readonly Dictionary<string, SparseVector> _sparse = new(StringComparer.Ordinal);
    private readonly Dictionary<string, float[]> _dense = new(StringComparer.Ordinal);
    private long _bytes;

    public string Name => $"retriever {model.Name} {model.Fingerprint}";

    private bool IsSparse => model.Contract.Kind == RepresentationKind.Sparse;

    public void Score(string query, IReadOnlyList<Document> documents, Span<float> scores)
    {
        Encode(documents);
        if (IsSparse)
        {
            SparseVector vector = model.EncodeSparse([query], RetrievalSide.Query)[0];
            for (int i = 0; i < scores.Length; i++)
            {
                scores[i] = vector.Dot(_sparse[documents[i].Id]);
            }
        }
        else
        {
            float[] vector = model.EncodeDense([query], RetrievalSide.Query)[0];
            for (int i = 0; i < scores.Length; i++)
            {
                scores[i] = Vectors.Dot(vector, _dense[documents[i].Id]);
            }
        }
    }

    public void Dispose() => model.Dispose();

    private void Encode(IReadOnlyList<Document> documents)
    {
        if (_bytes > cacheBytes)
        {
            _sparse.Clear();
            _dense.Clear();
            _bytes = 0;
        }

        Document[] unknown = [.. documents.Where(d => !_sparse.ContainsKey(d.Id) && !_dense.ContainsKey(d.Id)).DistinctBy(d => d.Id)];
        string[] texts = Array.ConvertAll(unknown, d => model.Contract.Compose(d));
        if (IsSparse)
        {
            foreach ((Document document, SparseVector vector) in unknown.Zip(model.EncodeSparse(texts, RetrievalSide.Document)))
            {
                _sparse.Add(document.Id, vector);
                _bytes += 8L * vector.Count;
            }
        }
        else
        {
            foreach ((Document document, float[] vector) in unknown.Zip(model.EncodeDense(texts, RetrievalSide.Document)))
            {
                _dense.Add(document.Id, vector);
                _bytes += 4L * vector.Length;
            }
        }
    }
}

internal static class Vectors
{
    /// <summary>The product in double precision, so that it does not depend on the machine's vectors.</summary>
    public static float Dot(ReadOnlySpan<float> left, ReadOnlySpan<float> right)
    {
        double sum = 0;
        for (int i = 0; i < left.Length; i++)
        {
            sum += (double)left[i] * right[i];
        }

        return (float)sum;
    }
}
