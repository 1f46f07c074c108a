namespace Tern.Training;

/// <summary>What one optimiser step did; means over its batches. Losses are before weighting, <see cref="Loss"/> is the weighted sum.</summary>
public readonly record struct TrainingStep
{
    /// <summary>1-based.</summary>
    public required int Step { get; init; }

    /// <summary>What was minimised: weighted losses and regularisers.</summary>
    public required double Loss { get; init; }

    public double InfoNce { get; init; }

    public double KlDivergence { get; init; }

    public double MarginMse { get; init; }

    /// <summary>The regulariser of the query vectors, before weighting.</summary>
    public double QueryFlops { get; init; }

    /// <summary>The regulariser of the document vectors, before weighting.</summary>
    public double DocumentFlops { get; init; }

    /// <summary>The weight on <see cref="QueryFlops"/> in this step.</summary>
    public double QueryFlopsWeight { get; init; }

    /// <summary>The weight on <see cref="DocumentFlops"/> in this step.</summary>
    public double DocumentFlopsWeight { get; init; }

    /// <summary>Mean non-zero entries of a query vector; the dimension for dense heads.</summary>
    public double QueryNonZeros { get; init; }

    /// <summary>Mean non-zero entries of a document vector; the dimension for dense heads.</summary>
    public double DocumentNonZeros { get; init; }

    /// <summary>Masked next-token prediction: the part of the masked tokens that were thought the most likely.</summary>
    public double Accuracy { get; init; }

    /// <summary>Masked next-token prediction: mean cross-entropy of held-out text after this step, where it was measured; e to its power is the perplexity.</summary>
    public double? HeldOutLoss { get; init; }

    /// <inheritdoc cref="Accuracy"/>
    public double? HeldOutAccuracy { get; init; }

    public double LearningRate { get; init; }

    /// <summary>Global norm before clipping.</summary>
    public double GradientNorm { get; init; }

    /// <summary>Tokens that went through the network.</summary>
    public int TokenCount { get; init; }
}

/// <summary>A <see cref="TrainingStep"/> with where the run stands; reported after every step. Times are for display only.</summary>
public readonly record struct TrainingProgress(TrainingStep Current, int StepCount, double TokensPerSecond, TimeSpan Elapsed, TimeSpan Remaining);

/// <summary>
/// How a run ended. <see cref="Stopped"/>: cancelled before its last step; <see cref="Checkpoint"/> is then the directory
/// to resume from, null when no directory was set. History holds the steps before a resumed checkpoint too.
/// </summary>
public sealed record TrainingResult(int Step, bool Stopped, string? Checkpoint, IReadOnlyList<TrainingStep> History, TimeSpan Elapsed);
