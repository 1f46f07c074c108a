using Tern.Compute;

namespace Tern;

/// <summary>One model of a host, as configuration binds it. Checked when the model is first asked for, and when the host starts.</summary>
public sealed class TernOptions
{
    /// <summary>The model directory. May be empty where only indexes are used: each knows its own model.</summary>
    public string ModelDirectory { get; set; } = "";

    /// <summary>Threads that the network computes with, the caller's included; 0: all processors.</summary>
    public int Threads { get; set; }

    /// <summary>How the model's products are calculated; null for the coarsest that its contract allows and this machine has.</summary>
    public ProductPrecision? Precision { get; set; }

    /// <summary>Tokens that go through the network at once; a longer text goes alone.</summary>
    public int MaxBatchTokens { get; set; } = new ModelOptions().MaxBatchTokens;

    /// <summary>Texts that go through the network at once.</summary>
    public int MaxBatchTexts { get; set; } = new ModelOptions().MaxBatchTexts;

    /// <summary>How long a text may be kept back for the company of others; a lone caller's never is.</summary>
    public TimeSpan MaxQueueDelay { get; set; } = new ModelOptions().MaxQueueDelay;

    /// <summary>Calls that may wait for the network; further ones are held back until there is room.</summary>
    public int QueueCapacity { get; set; } = new ModelOptions().QueueCapacity;

    /// <summary>Compare all checksums of an index when it is opened.</summary>
    public bool VerifyIndexes { get; set; } = true;

    internal ModelOptions ToModelOptions() => new()
    {
        Threads = Threads,
        Precision = Precision,
        MaxBatchTokens = MaxBatchTokens,
        MaxBatchTexts = MaxBatchTexts,
        MaxQueueDelay = MaxQueueDelay,
        QueueCapacity = QueueCapacity,
    };
}
