using Tern;
using Tern.Retrieval;

namespace Host;

/// <summary>What is timed.</summary>
internal enum Step
{
    Encode,
    Search,
    Both,
}

/// <summary>The two halves of a query and the whole, into memory of the caller's.</summary>
internal abstract class QueryPath(Retriever retriever) : IDisposable
{
    public static QueryPath Open(Retriever retriever, string directory) => retriever.Description.Kind switch
    {
        IndexKind.Sparse => new SparsePath(retriever, SparseIndex.Open(directory)),
        IndexKind.Dense => new DensePath(retriever, DenseIndex.Open(directory)),
        _ => throw new NotSupportedException("the bench needs a learned index: BM25 has nothing to encode"),
    };

    public abstract Vector NewVector();

    public abstract void Encode(string query, Vector vector);

    public abstract int Search(Vector vector, Span<Hit> hits);

    public int Both(string query, Span<Hit> hits) => retriever.Search(query, hits);

    public abstract void Dispose();

    /// <summary>An encoded query.</summary>
    internal sealed class Vector(int length)
    {
        public int[] Terms { get; } = new int[length];

        public float[] Weights { get; } = new float[length];

        public int Count { get; set; }
    }

    private sealed class SparsePath(Retriever retriever, SparseIndex index) : QueryPath(retriever)
    {
        private readonly RetrieverModel _model = retriever.Model!;

        public override Vector NewVector() => new(Math.Min(8192, _model.Dimension));

        public override void Encode(string query, Vector vector) => vector.Count = _model.EncodeSparse(query, RetrievalSide.Query, vector.Terms, vector.Weights);

        public override int Search(Vector vector, Span<Hit> hits) => index.Search(vector.Terms.AsSpan(0, vector.Count), vector.Weights.AsSpan(0, vector.Count), hits);

        public override void Dispose() => index.Dispose();
    }

    private sealed class DensePath(Retriever retriever, DenseIndex index) : QueryPath(retriever)
    {
        private readonly RetrieverModel _model = retriever.Model!;

        public override Vector NewVector() => new(_model.Dimension);

        public override void Encode(string query, Vector vector) => _model.EncodeDense(query, RetrievalSide.Query, vector.Weights);

        public override int Search(Vector vector, Span<Hit> hits) => index.Search(vector.Weights, hits);

        public override void Dispose() => index.Dispose();
    }
}
