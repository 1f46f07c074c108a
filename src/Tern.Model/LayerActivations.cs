using Tern.Compute;

namespace Tern.Model;

/// <summary>What one block keeps of a forward pass for its backward. Owns its memory, which only ever grows.</summary>
internal sealed class LayerActivations(IBackend backend, LlamaConfig config) : IDisposable
{
    private readonly List<TensorMemory> _projected = [];
    private readonly TensorMemory[] _memories = [.. Enumerable.Range(0, 14).Select(_ => backend.Allocate(DType.Float32))];

    /// <summary>[T, H] residual stream before the block; in this memory or, where blocks are computed again, in the model's</summary>
    public Tensor Input { get; set; }

    /// <summary>[1, T]</summary>
    public Tensor AttentionInverseRms { get; private set; }

    /// <summary>[T, H]</summary>
    public Tensor AttentionNormed { get; private set; }

    /// <summary>[T, N·D], rotated</summary>
    public Tensor Query { get; private set; }

    /// <summary>[T, G·D], rotated</summary>
    public Tensor Key { get; private set; }

    /// <summary>[T, G·D]</summary>
    public Tensor Value { get; private set; }

    /// <summary>[T, N]</summary>
    public Tensor LogSumExp { get; private set; }

    /// <summary>[T, N·D]</summary>
    public Tensor Attended { get; private set; }

    /// <summary>[T, H] residual stream between attention and feed-forward</summary>
    public Tensor Middle { get; private set; }

    /// <summary>[1, T]</summary>
    public Tensor FeedForwardInverseRms { get; private set; }

    /// <summary>[T, H]</summary>
    public Tensor FeedForwardNormed { get; private set; }

    /// <summary>[T, I]; after the backward its gradient</summary>
    public Tensor Gate { get; private set; }

    /// <summary>[T, I]; after the backward its gradient</summary>
    public Tensor Up { get; private set; }

    /// <summary>[T, I]</summary>
    public Tensor Activated { get; private set; }

    /// <summary>Shapes everything for a batch of that many tokens; gate and up only where they are kept, otherwise empty.</summary>
    public void Shape(int tokenCount, bool keepGates, bool ownsInput = true)
    {
        int hidden = config.HiddenSize;
        int queries = config.HeadCount * config.HeadSize;
        int keys = config.KeyValueHeadCount * config.HeadSize;
        int next = ownsInput ? 0 : 1;
        Input = ownsInput ? Take(tokenCount, hidden) : default;
        AttentionInverseRms = Take(1, tokenCount);
        AttentionNormed = Take(tokenCount, hidden);
        Query = Take(tokenCount, queries);
        Key = Take(tokenCount, keys);
        Value = Take(tokenCount, keys);
        LogSumExp = Take(tokenCount, config.HeadCount);
        Attended = Take(tokenCount, queries);
        Middle = Take(tokenCount, hidden);
        FeedForwardInverseRms = Take(1, tokenCount);
        FeedForwardNormed = Take(tokenCount, hidden);
        Activated = Take(tokenCount, config.IntermediateSize);
        Gate = keepGates ? Take(tokenCount, config.IntermediateSize) : default;
        Up = keepGates ? Take(tokenCount, config.IntermediateSize) : default;

        Tensor Take(int rows, int columns) => _memories[next++].Shape(rows, columns);
    }

    /// <summary>[T, rank]: what the adapter at that place above a projection (0 to 6) made of its inputs; kept for the backward.</summary>
    public Tensor Projected(int projection, int adapter, int tokenCount, int rank)
    {
        const int ProjectionCount = 7;
        int index = (adapter * ProjectionCount) + projection;
        while (_projected.Count <= index)
        {
            _projected.Add(backend.Allocate(DType.Float32));
        }

        return _projected[index].Shape(tokenCount, rank);
    }

    public void Dispose()
    {
        _projected.ForEach(m => m.Dispose());
        foreach (TensorMemory memory in _memories)
        {
            memory.Dispose();
        }
    }
}
