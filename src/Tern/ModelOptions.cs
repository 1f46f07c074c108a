using Tern.Compute;

namespace Tern;

/// <summary>How a model runs; only <see cref="Precision"/> changes a vector.</summary>
public sealed record ModelOptions
{
    /// <summary>What it runs on, see <see cref="Devices.TryFind"/>: cpu, cuda:0, or auto for the first GPU where there is one.</summary>
    public string Backend { get; init; } = "cpu";

    /// <summary>0: all processors.</summary>
    public int Threads { get; init; }

    /// <summary>How its products are calculated; null for the coarsest that the model's contract allows and this machine has.</summary>
    public ProductPrecision? Precision { get; init; }

    /// <summary>Tokens that go through the network at once; a longer text goes alone.</summary>
    public int MaxBatchTokens { get; init; } = 4096;

    /// <summary>Texts that go through the network at once; bounds the [texts, vocabulary] result of a sparse head.</summary>
    public int MaxBatchTexts { get; init; } = 64;

    /// <summary>
    /// How long a text may be kept back for the company of others, beyond the time that the network is busy. Only texts that
    /// come while the network is busy or has just been are kept back, never the text of a lone caller.
    /// </summary>
    public TimeSpan MaxQueueDelay { get; init; } = TimeSpan.FromMilliseconds(1);

    /// <summary>Batches of calls that may wait for the network; further callers block (or await) until there is room.</summary>
    public int QueueCapacity { get; init; } = 1024;

    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(Threads);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxBatchTokens, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxBatchTexts, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(QueueCapacity, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxQueueDelay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(MaxQueueDelay, TimeSpan.FromDays(1));
    }
}
