using Tern.Compute;

namespace Tern.Model;

/// <summary>
/// A weighted sum of each sequence's hidden states, whose weights depend on places alone, as one product with a [B, T] matrix that is
/// zero outside a sequence; then, if asked, scaled to length 1. Zeros add nothing, so that a sum's bits do not depend on its company.
/// </summary>
internal sealed class LinearPoolingHead(IBackend backend, LlamaConfig config, DensePooling pooling, bool normalize) : IRepresentationHead
{
    private readonly TensorMemory _weightMemory = backend.Allocate(DType.Float32);
    private readonly TensorMemory _pooledMemory = backend.Allocate(DType.Float32);
    private readonly TensorMemory _dPooledMemory = backend.Allocate(DType.Float32);
    private readonly TensorMemory _dHiddenMemory = backend.Allocate(DType.Float32);
    private readonly TensorMemory _rowStartMemory = backend.Allocate(DType.Int32);
    private readonly TensorMemory _inverseNormMemory = backend.Allocate(DType.Float32);
    private readonly TensorMemory _representationMemory = backend.Allocate(DType.Float32);
    private float[] _weights = [];
    private int[] _rowStarts = [];
    private Tensor _weight; // [B, T]
    private Tensor _pooled; // [B, H]
    private Tensor _inverseNorms; // [1, B]
    private Tensor _rowStart; // Int32 [1, B + 1]: each row a sequence of its own

    public int Dimension => config.HiddenSize;

    public Tensor ArgMax => default;

    public Tensor Forward(Tensor hidden, Tensor sequenceStarts, ReadOnlySpan<int> starts, bool keepForBackward)
    {
        if (hidden.DType != DType.Float32)
        {
            throw new NotSupportedException($"pooling by {pooling} needs hidden states in Float32, which {backend.Name} has with f32 products: give --precision f32");
        }

        int sequenceCount = starts.Length - 1;
        _weight = _weightMemory.Shape(sequenceCount, hidden.Rows);
        backend.Upload<float>(Weights(starts, hidden.Rows), _weight);
        _pooled = _pooledMemory.Shape(sequenceCount, Dimension);
        backend.MatMul(_weight, false, hidden, false, accumulate: false, _pooled);
        if (!normalize)
        {
            return _pooled;
        }

        if (_rowStarts.Length <= sequenceCount)
        {
            _rowStarts = [.. Enumerable.Range(0, sequenceCount + 1)];
        }

        _rowStart = _rowStartMemory.Shape(1, sequenceCount + 1);
        backend.Upload<int>(_rowStarts.AsSpan(0, sequenceCount + 1), _rowStart);
        _inverseNorms = _inverseNormMemory.Shape(1, sequenceCount);
        Tensor representations = _representationMemory.Shape(sequenceCount, Dimension);
        backend.NormalizedMeanForward(_pooled, _rowStart, _inverseNorms, representations);
        return representations;
    }

    public Tensor Backward(Tensor dRepresentations)
    {
        Tensor dPooled = dRepresentations;
        if (normalize)
        {
            dPooled = _dPooledMemory.Shape(_pooled.Rows, _pooled.Columns);
            backend.NormalizedMeanBackward(dRepresentations, _pooled, _inverseNorms, _rowStart, dPooled);
        }

        Tensor dHidden = _dHiddenMemory.Shape(_weight.Columns, Dimension);
        backend.MatMul(_weight, true, dPooled, false, accumulate: false, dHidden);
        return dHidden;
    }

    public void Dispose()
    {
        foreach (TensorMemory memory in new[] { _weightMemory, _pooledMemory, _dPooledMemory, _dHiddenMemory, _rowStartMemory, _inverseNormMemory, _representationMemory })
        {
            memory.Dispose();
        }
    }

    private Span<float> Weights(ReadOnlySpan<int> starts, int tokenCount)
    {
        int sequenceCount = starts.Length - 1;
        if (_weights.Length < sequenceCount * tokenCount)
        {
            _weights = new float[sequenceCount * tokenCount];
        }

        Span<float> weights = _weights.AsSpan(0, sequenceCount * tokenCount);
        weights.Clear();
        for (int b = 0; b < sequenceCount; b++)
        {
            int count = starts[b + 1] - starts[b];
            Span<float> own = weights.Slice((b * tokenCount) + starts[b], count);
            for (int i = 0; i < count; i++)
            {
                own[i] = pooling switch
                {
                    DensePooling.Mean => 1f / count,
                    DensePooling.MeanSqrtLength => 1f / MathF.Sqrt(count),
                    DensePooling.WeightedMean => (float)((i + 1) / (0.5 * count * (count + 1.0))),
                    DensePooling.LastToken => i == count - 1 ? 1f : 0f,
                    DensePooling.FirstToken => i == 0 ? 1f : 0f,
                    _ => throw new NotSupportedException($"{pooling} is no weighted sum by places"),
                };
            }
        }

        return weights;
    }
}
