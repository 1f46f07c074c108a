using Tern.Compute;

namespace Tern.Model;

/// <summary>
/// What one block keeps of a forward pass for its backward: the residual stream and statistics in Float32, the rest in the
/// backend's type of activations. Owns its memory, which only ever grows.
/// </summary>
internal sealed class LayerActivations(IBackend backend, LlamaConfig config) : IDisposable
{
    private readonly List<TensorMemory> _projected = [];
    private readonly TensorMemory _input = backend.Allocate(DType.Float32);
    private readonly TensorMemory _middle = backend.Allocate(DType.Float32);
    private readonly TensorMemory[] _statistics = [.. Enumerable.Range(0, 3).Select(_ => backend.Allocate(DType.Float32))];
    private readonly TensorMemory[] _activations = [.. Enumerable.Range(0, 9).Select(_ => backend.Allocate(backend.ActivationType))];

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
        int next = 0;
        Input = ownsInput ? _input.Shape(tokenCount, hidden) : default;
        Middle = _middle.Shape(tokenCount, hidden);
        AttentionInverseRms = _statistics[0].Shape(1, tokenCount);
        FeedForwardInverseRms = _statistics[1].Shape(1, tokenCount);
        LogSumExp = _statistics[2].Shape(tokenCount, config.HeadCount);
        AttentionNormed = Take(hidden);
        Query = Take(queries);
        Key = Take(keys);
        Value = Take(keys);
        Attended = Take(queries);
        FeedForwardNormed = Take(hidden);
        Activated = Take(config.IntermediateSize);
        Gate = keepGates ? Take(config.IntermediateSize) : default;
        Up = keepGates ? Take(config.IntermediateSize) : default;

        Tensor Take(int columns) => _activations[next++].Shape(tokenCount, columns);
    }

    /// <summary>[T, rank]: what the adapter at that place above a projection (0 to 6) made of its inputs; kept for the backward.</summary>
    public Tensor Projected(int projection, int adapter, int tokenCount, int rank)
    {
        const int ProjectionCount = 7;
        int index = (adapter * ProjectionCount) + projection;
        while (_projected.Count <= index)
        {
            _projected.Add(backend.Allocate(backend.ActivationType));
        }

        return _projected[index].Shape(tokenCount, rank);
    }

    public void Dispose()
    {
        _projected.ForEach(m => m.Dispose());
        foreach (TensorMemory memory in (ReadOnlySpan<TensorMemory>)[_input, _middle, .. _statistics, .. _activations])
        {
            memory.Dispose();
        }
    }
}
