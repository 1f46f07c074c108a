using Tern.Retrieval;

namespace Tern.Pipelines.Demo.Stages;

/// <summary>Encoded queries over an index of either kind.</summary>
internal abstract class ModelSearch : IDisposable
{
    public abstract long ByteCount { get; }

    /// <summary>Mean non-zeros of the queries encoded last; 0 for dense.</summary>
    public abstract double NonZeros { get; }

    public abstract void Encode(IReadOnlyList<string> texts);

    public abstract Hit[] Search(int query, int depth);

    public abstract Hit[][] SearchAll(int depth, int threads);

    public abstract string ExternalId(int docId);

    public abstract void Dispose();
}

internal sealed class SparseModelSearch(string directory, Func<IReadOnlyList<string>, IReadOnlyList<SparseVector>> encode) : ModelSearch
{
    private readonly SparseIndex _index = SparseIndex.Open(directory);
    private IReadOnlyList<SparseVector> _queries = [];

    public override long ByteCount => _index.ByteCount;

    public override double NonZeros => Math.Round(_queries.Average(q => (double)q.Count), 1);

    public override void Encode(IReadOnlyList<string> texts) => _queries = encode(texts);

    public override Hit[] Search(int query, int depth) => _index.Search(_queries[query], depth);

    public override Hit[][] SearchAll(int depth, int threads) => _index.SearchBatch(_queries, depth, threads);

    public override string ExternalId(int docId) => _index.ExternalId(docId);

    public override void Dispose() => _index.Dispose();
}

internal sealed class DenseModelSearch(string directory, Func<IReadOnlyList<string>, float[][]> encode) : ModelSearch
{
    private readonly DenseIndex _index = DenseIndex.Open(directory);
    private float[][] _queries = [];

    public override long ByteCount => _index.ByteCount;

    public override double NonZeros => 0;

    public override void Encode(IReadOnlyList<string> texts) => _queries = encode(texts);

    public override Hit[] Search(int query, int depth) => _index.Search(_queries[query], depth);

    public override Hit[][] SearchAll(int depth, int threads) => _index.SearchBatch(_queries, depth, threads);

    public override string ExternalId(int docId) => _index.ExternalId(docId);

    public override void Dispose() => _index.Dispose();
}
