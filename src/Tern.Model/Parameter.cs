using Tern.Compute;

namespace Tern.Model;

/// <summary>
/// One named weight. <see cref="Value"/> is [out, in] for a projection, [1, n] for a vector; <see cref="Gradient"/> has the
/// same shape, is added to by backward passes, and is empty when the weight is frozen. Both belong to the weights.
/// </summary>
public sealed class Parameter
{
    /// <summary>The optional weight that is not there: backends take its empty tensors for "none".</summary>
    public static readonly Parameter None = new("", default, default, false);

    internal Parameter(string name, Tensor value, Tensor gradient, bool isVector)
    {
        Name = name;
        Value = value;
        Gradient = gradient;
        IsVector = isVector;
    }

    /// <summary>Its name in Hugging Face checkpoints, such as <c>model.layers.0.self_attn.q_proj.weight</c>.</summary>
    public string Name { get; }

    public Tensor Value { get; }

    public Tensor Gradient { get; }

    /// <summary>The weight as a projection takes it, prepared once <see cref="LlamaWeights"/> has done so.</summary>
    internal ProjectionWeight Operand => new(Value, Prepared);

    internal PreparedWeight? Prepared { get; set; }

    /// <summary>Live addends to this projection, lowest adapter first.</summary>
    internal List<AdaptedProjection> Adapters { get; } = [];

    /// <summary>True when backward passes add to <see cref="Gradient"/>.</summary>
    public bool IsTrainable => !Gradient.IsEmpty;

    /// <summary>True for norms' weights and biases, which files store with one dimension.</summary>
    public bool IsVector { get; }

    internal IReadOnlyList<long> FileShape => IsVector ? [Value.Columns] : [Value.Rows, Value.Columns];

    public override string ToString() => $"{Name} {Value}";
}
