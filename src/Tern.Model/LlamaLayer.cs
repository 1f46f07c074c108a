namespace Tern.Model;

/// <summary>The weights of one decoder block. N heads, G key/value heads of size D; H hidden, I intermediate size.</summary>
public sealed record LlamaLayer
{
    /// <summary>[1, H]</summary>
    public required Parameter AttentionNorm { get; init; }

    /// <summary>[N·D, H]</summary>
    public required Parameter Query { get; init; }

    /// <summary>[G·D, H]</summary>
    public required Parameter Key { get; init; }

    /// <summary>[G·D, H]</summary>
    public required Parameter Value { get; init; }

    /// <summary>[H, N·D]</summary>
    public required Parameter AttentionOutput { get; init; }

    /// <summary>[1, H]</summary>
    public required Parameter FeedForwardNorm { get; init; }

    /// <summary>[I, H]</summary>
    public required Parameter Gate { get; init; }

    /// <summary>[I, H]</summary>
    public required Parameter Up { get; init; }

    /// <summary>[H, I]</summary>
    public required Parameter Down { get; init; }
}
