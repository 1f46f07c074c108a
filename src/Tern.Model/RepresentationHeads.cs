using Tern.Compute;

namespace Tern.Model;

/// <summary>From hidden states [T, H] to one vector per sequence and back. Results are valid until the next call.</summary>
internal interface IRepresentationHead : IDisposable
{
    int Dimension { get; }

    Tensor ArgMax { get; }

    /// <param name="starts">The sequence starts on this side.</param>
    Tensor Forward(Tensor hidden, Tensor sequenceStarts, ReadOnlySpan<int> starts, bool keepForBackward);

    /// <summary>Adds to the head's own weights' gradients and returns dHidden [T, H].</summary>
    Tensor Backward(Tensor dRepresentations);
}

/// <summary>w_v = ln(1 + relu(max_i(scale · h_i·E_v) + bias_v)): the maximum first, so that [T, V] is never written.</summary>
internal sealed class SparseHead(IBackend backend, LlamaWeights weights, float scale) : IRepresentationHead
{
    private readonly TensorMemory _maximaMemory = backend.Allocate(DType.Float32);
    private readonly TensorMemory _argMaxMemory = backend.Allocate(DType.Int32);
    private readonly TensorMemory _representationMemory = backend.Allocate(DType.Float32);
    private readonly TensorMemory _dHiddenMemory = backend.Allocate(DType.Float32);
    private Tensor _hidden; // [T, H]
    private Tensor _maxima; // [B, V]

    public int Dimension => weights.Config.VocabularySize;

    public Tensor ArgMax { get; private set; } // Int32 [B, V]

    public Tensor Forward(Tensor hidden, Tensor sequenceStarts, ReadOnlySpan<int> starts, bool keepForBackward)
    {
        int sequenceCount = sequenceStarts.Columns - 1;
        _hidden = hidden;
        _maxima = _maximaMemory.Shape(sequenceCount, Dimension);
        ArgMax = _argMaxMemory.Shape(sequenceCount, Dimension);
        if (!weights.IsTrainable)
        {
            weights.Prepare(weights.OutputProjection);
        }

        backend.MaxPoolProductForward(hidden, weights.OutputProjection.Operand, weights.TermBias.Value, sequenceStarts, scale, _maxima, ArgMax);
        Tensor representations = keepForBackward ? _representationMemory.Shape(sequenceCount, Dimension) : _maxima;
        backend.Log1pReluForward(_maxima, representations);
        return representations;
    }

    public Tensor Backward(Tensor dRepresentations)
    {
        // The representations are valid until this call: their memory takes the gradient, as [B, V] is the largest shape here.
        Tensor dMaxima = _representationMemory.Shape(dRepresentations.Rows, dRepresentations.Columns);
        Tensor dHidden = _dHiddenMemory.Shape(_hidden.Rows, _hidden.Columns);
        backend.Log1pReluBackward(dRepresentations, _maxima, dMaxima);
        backend.Fill(0f, dHidden);
        backend.MaxPoolProductBackward(dMaxima, ArgMax, _hidden, weights.OutputProjection.Value, scale, dHidden, weights.OutputProjection.Gradient, weights.TermBias.Gradient);
        return dHidden;
    }

    public void Dispose()
    {
        _maximaMemory.Dispose();
        _argMaxMemory.Dispose();
        _representationMemory.Dispose();
        _dHiddenMemory.Dispose();
    }
}

/// <summary>The mean of the tokens' hidden states, each normalised to length 1; the mean itself is not.</summary>
internal sealed class DenseHead(IBackend backend, LlamaConfig config) : IRepresentationHead
{
    private readonly TensorMemory _inverseNormMemory = backend.Allocate(DType.Float32);
    private readonly TensorMemory _representationMemory = backend.Allocate(DType.Float32);
    private readonly TensorMemory _dHiddenMemory = backend.Allocate(backend.ActivationType);
    private Tensor _hidden; // [T, H]
    private Tensor _inverseNorms; // [1, T]
    private Tensor _sequenceStarts; // Int32 [1, B + 1]

    public int Dimension => config.HiddenSize;

    public Tensor ArgMax => default;

    public Tensor Forward(Tensor hidden, Tensor sequenceStarts, ReadOnlySpan<int> starts, bool keepForBackward)
    {
        _hidden = hidden;
        _sequenceStarts = sequenceStarts;
        _inverseNorms = _inverseNormMemory.Shape(1, hidden.Rows);
        Tensor representations = _representationMemory.Shape(sequenceStarts.Columns - 1, Dimension); // [B, H]
        backend.NormalizedMeanForward(hidden, sequenceStarts, _inverseNorms, representations);
        return representations;
    }

    public Tensor Backward(Tensor dRepresentations)
    {
        Tensor dHidden = _dHiddenMemory.Shape(_hidden.Rows, _hidden.Columns);
        backend.NormalizedMeanBackward(dRepresentations, _hidden, _inverseNorms, _sequenceStarts, dHidden);
        return dHidden;
    }

    public void Dispose()
    {
        _inverseNormMemory.Dispose();
        _representationMemory.Dispose();
        _dHiddenMemory.Dispose();
    }
}
