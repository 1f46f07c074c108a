using Tern.Compute;

namespace Tern.Model;

/// <summary>A block's projections in the order in which their kept values are numbered.</summary>
internal enum ProjectionPlace
{
    Query,
    Key,
    Value,
    AttentionOutput,
    Gate,
    Up,
    Down,
}

/// <summary>
/// The projections of one pass through the model: products with the weights, and the live adapters' addends with the dropout
/// masks of this pass, which its backward replays. Owns the rows' keys.
/// </summary>
internal sealed class ProjectionPass(IBackend backend) : IDisposable
{
    private readonly TensorMemory _rowKeyMemory = backend.Allocate(DType.Int32);
    private int[] _hostKeys = [];
    private Tensor _rowKeys; // Int32 [1, T], empty without dropout

    /// <summary>Takes one dropout key a sequence; none: nothing is dropped.</summary>
    public void Begin(ReadOnlySpan<uint> dropoutKeys, ReadOnlySpan<int> sequenceStarts)
    {
        _rowKeys = default;
        if (dropoutKeys.IsEmpty)
        {
            return;
        }

        if (dropoutKeys.Length != sequenceStarts.Length - 1)
        {
            throw new ArgumentException($"{dropoutKeys.Length} dropout keys for {sequenceStarts.Length - 1} sequences", nameof(dropoutKeys));
        }

        int tokenCount = sequenceStarts[^1];
        if (_hostKeys.Length < tokenCount)
        {
            _hostKeys = new int[tokenCount];
        }

        for (int b = 0; b < dropoutKeys.Length; b++)
        {
            for (int row = sequenceStarts[b]; row < sequenceStarts[b + 1]; row++)
            {
                _hostKeys[row] = Dropout.RowKey(dropoutKeys[b], row - sequenceStarts[b]);
            }
        }

        _rowKeys = _rowKeyMemory.Shape(1, tokenCount);
        backend.Upload<int>(_hostKeys.AsSpan(0, tokenCount), _rowKeys);
    }

    /// <summary>destination = start + input · weightᵀ + the adapters' addends.</summary>
    public void Forward(Tensor input, Parameter weight, ProjectionPlace place, LayerActivations kept, Tensor start, Tensor destination)
    {
        backend.ProjectForward(input, weight.Operand, start, destination);
        AddAdapters(input, weight, place, kept, destination);
    }

    /// <summary>destination += the adapters' addends.</summary>
    public void AddAdapters(Tensor input, Parameter weight, ProjectionPlace place, LayerActivations kept, Tensor accumulateDestination)
    {
        for (int i = 0; i < weight.Adapters.Count; i++)
        {
            AdaptedProjection adapter = weight.Adapters[i];
            Tensor projected = kept.Projected((int)place, i, input.Rows, adapter.Rank);
            backend.LoraForward(input, adapter.A.Value, adapter.B.Value, adapter.Scale, DropoutOf(adapter), projected, accumulateDestination);
        }
    }

    /// <summary>activated = silu(gate) · up. With adapters gate and up are written first, and must be there.</summary>
    public void ForwardGated(Tensor input, LlamaLayer layer, LayerActivations kept)
    {
        if (layer.Gate.Adapters.Count + layer.Up.Adapters.Count == 0)
        {
            backend.GatedProjectForward(input, layer.Gate.Operand, layer.Up.Operand, kept.Gate, kept.Up, kept.Activated);
            return;
        }

        Forward(input, layer.Gate, ProjectionPlace.Gate, kept, default, kept.Gate);
        Forward(input, layer.Up, ProjectionPlace.Up, kept, default, kept.Up);
        backend.SwiGluForward(kept.Gate, kept.Up, kept.Activated);
    }

    /// <summary>dInput = dOutput · weight (or +=) and what the adapters add to it; gradients of whatever has one are added to.</summary>
    public void Backward(Tensor dOutput, Tensor input, Parameter weight, ProjectionPlace place, LayerActivations kept, bool accumulate, Tensor dInput)
    {
        backend.ProjectBackward(dOutput, input, weight.Value, accumulate, dInput, weight.Gradient);
        for (int i = 0; i < weight.Adapters.Count; i++)
        {
            AdaptedProjection adapter = weight.Adapters[i];
            Tensor projected = kept.Projected((int)place, i, input.Rows, adapter.Rank);
            backend.LoraBackward(dOutput, input, adapter.A.Value, adapter.B.Value, projected, adapter.Scale, DropoutOf(adapter), dInput, adapter.A.Gradient, adapter.B.Gradient);
        }
    }

    public void Dispose() => _rowKeyMemory.Dispose();

    private Dropout DropoutOf(AdaptedProjection adapter) => new(_rowKeys.IsEmpty ? 0f : adapter.DropoutRate, adapter.Key, _rowKeys);
}
