namespace Tern.Compute.Counting;

/// <summary>
/// Floating-point operations of the products in a computation; a multiply-add is two. What is executed is counted, recomputation
/// included; elementwise work (norms, activations, softmax, losses but for cross-entropy's product, the optimiser) is not.
/// The sparse head's backward counts as if every maximum carried a gradient, so that the count depends on shapes alone.
/// </summary>
public sealed class FlopCounts
{
    /// <summary>Projections of the blocks, forward and backward.</summary>
    public double Projections { get; private set; }

    /// <summary>Scores and sums of attention: 4 · heads · head size · Σ length² forward, 10 backward (five products, the scores again).</summary>
    public double Attention { get; private set; }

    /// <summary>Products with the vocabulary.</summary>
    public double Head { get; private set; }

    /// <summary>LoRA's two thin products and their gradients.</summary>
    public double Adapters { get; private set; }

    /// <summary>Every other product: scores of queries against contexts, dense similarity.</summary>
    public double Other { get; private set; }

    public double Total => Projections + Attention + Head + Adapters + Other;

    public void Clear() => Projections = Attention = Head = Adapters = Other = 0;

    internal void AddProjection(double flops) => Projections += flops;

    internal void AddAttention(double flops) => Attention += flops;

    internal void AddHead(double flops) => Head += flops;

    internal void AddAdapter(double flops) => Adapters += flops;

    internal void AddOther(double flops) => Other += flops;
}
