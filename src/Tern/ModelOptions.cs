using Tern.Compute;

namespace Tern;

/// <summary>How a model runs; only <see cref="Precision"/> changes a vector.</summary>
public sealed record ModelOptions
{
    /// <summary>A name of <see cref="Tern.Compute.Backends"/>.</summary>
    public string Backend { get; init; } = "cpu";

    /// <summary>0: all processors.</summary>
    public int Threads { get; init; }

    /// <summary>How its products are calculated; null for the coarsest that the model's contract allows and this machine has.</summary>
    public ProductPrecision? Precision { get; init; }

    /// <summary>Tokens that go through the network at once; a longer text goes alone.</summary>
    public int MaxBatchTokens { get; init; } = 4096;

    /// <summary>Texts that go through the network at once; bounds the [texts, vocabulary] result of a sparse head.</summary>
    public int MaxBatchTexts { get; init; } = 64;
}
