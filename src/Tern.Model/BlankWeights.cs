using Tern.Compute;

namespace Tern.Model;

/// <summary>Weights of a shape without values, for a backend that only counts: a plan needs no checkpoint.</summary>
public static class BlankWeights
{
    /// <summary>Weights as another model has them, its trained adapter included.</summary>
    public static LlamaWeights Like(IBackend backend, LlamaWeights weights)
    {
        LiveAdapter? adapter = weights.Adapters.FirstOrDefault(a => a.IsTrainable);
        LlamaWeights blank = Of(backend, weights.Config, !weights.TermBias.Value.IsEmpty, weights.IsTrainable && adapter is null, weights.Layers[0].Query.Value.DType);
        if (adapter is not null)
        {
            blank.AddAdapter(new LoraSettings { Rank = adapter.Config.Rank, Alpha = adapter.Config.Alpha, Dropout = adapter.Config.Dropout, Targets = adapter.Config.Targets }, "");
        }

        return blank;
    }

    /// <param name="frozenType">The element type of weights that are not trained; trained ones are Float32.</param>
    public static LlamaWeights Of(IBackend backend, LlamaConfig config, bool hasTermBias, bool trainable, DType frozenType = DType.Float32)
    {
        List<IDisposable> owned = [];
        List<Parameter> parameters = [];
        foreach (ParameterLayout layout in ParameterLayout.Of(config, hasTermBias))
        {
            TensorMemory value = backend.Allocate(trainable || layout.IsVector ? DType.Float32 : frozenType, (nint)layout.Rows * layout.Columns);
            owned.Add(value);
            Tensor gradient = default;
            if (trainable)
            {
                TensorMemory memory = backend.Allocate(DType.Float32, (nint)layout.Rows * layout.Columns);
                owned.Add(memory);
                gradient = memory.Shape(layout.Rows, layout.Columns);
            }

            parameters.Add(new Parameter(layout.Name, value.Shape(layout.Rows, layout.Columns), gradient, layout.IsVector));
        }

        return new LlamaWeights(backend, config, parameters, owned);
    }
}
