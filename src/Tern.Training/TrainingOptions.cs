using Tern.Compute;

namespace Tern.Training;

/// <summary>
/// One training run as data. Everything except the checkpoint settings steers the numbers: two runs with equal options,
/// weights and <see cref="TrainingSet"/> give equal losses, whatever the thread count.
/// </summary>
public sealed record TrainingOptions
{
    public TrainingObjective Objective { get; init; } = TrainingObjective.InfoNce;

    /// <summary>
    /// 0: the loss is as stated, whatever the number of ranks. Above: as the paper's system weighs it on so many GPUs, whose gradients
    /// are averaged though losses over gathered vectors are counted on each: InfoNCE and FLOPS are divided by this number where
    /// InfoNCE is part of the objective, the teacher's losses are not; otherwise FLOPS is the mean over the GPUs' own vectors (with
    /// Margin-MSE that of positives and negatives apart). The ramp of the FLOPS weights then counts batches instead of steps.
    /// </summary>
    public int ReferenceRankCount { get; init; }

    /// <summary>Scores are divided by this in every loss; 1 for sparse heads, 0.01 to 0.05 for dense ones.</summary>
    public float Temperature { get; init; } = 1f;

    /// <summary>Optimiser steps of the whole run; the schedules are stretched over them.</summary>
    public required int StepCount { get; init; }

    /// <summary>Queries of one contrastive batch, of all ranks together.</summary>
    public int BatchSize { get; init; } = 64;

    /// <summary>Hard negatives drawn per query, without replacement, anew in every epoch; 0 leaves the in-batch ones.</summary>
    public int NegativeCount { get; init; }

    /// <summary>Where an example has fewer negatives than asked for, draw random documents; otherwise that is an error.</summary>
    public bool AllowFewerNegatives { get; init; }

    /// <summary>
    /// InfoNCE does not count a context as a negative when it is known to be relevant to the query: the positive of this
    /// or any other example with the same query text. The reference system does not filter (false).
    /// </summary>
    public bool MaskKnownPositives { get; init; } = true;

    /// <summary>Batches per optimiser step; each is a full contrastive batch, losses are averaged over them.</summary>
    public int AccumulationCount { get; init; } = 1;

    /// <summary>
    /// GradCache: at most so many sequences (queries and contexts) keep their activations at a time; 0 for all of a batch. The
    /// gradient is the undivided batch's but for rounding; every sequence is encoded twice.
    /// </summary>
    public int GradCacheChunk { get; init; }

    /// <summary>Activation checkpointing: the backward computes each block again instead of keeping its activations. Changes no bit of the result.</summary>
    public bool RecomputeActivations { get; init; }

    /// <summary>ZeRO-1, with several ranks: each keeps AdamW's moments for its part of the parameters only.</summary>
    public bool ShardOptimizer { get; init; }

    /// <summary>Highest learning rate, reached after the warm-up.</summary>
    public float LearningRate { get; init; } = 1e-3f;

    /// <summary>Part of the steps over which the learning rate rises linearly; it falls linearly over the others.</summary>
    public float WarmupRatio { get; init; } = 0.04f;

    /// <summary>The step at which the learning rate would reach 0; up to the last step it is that one.</summary>
    public int DecaySteps { get; init; }

    public AdamWSettings Optimizer { get; init; } = new();

    /// <summary>Learning-rate multipliers; a parameter takes the first group whose text its name contains.</summary>
    public IReadOnlyList<ParameterGroup> ParameterGroups { get; init; } = [];

    /// <summary>Gradients are scaled down to this global norm; 0 for no clipping.</summary>
    public float GradientClip { get; init; } = 1f;

    /// <summary>Weight of the FLOPS regulariser on query vectors once ramped up; sparse heads only.</summary>
    public float QueryFlopsWeight { get; init; }

    /// <summary>Weight of the FLOPS regulariser on document vectors once ramped up; sparse heads only.</summary>
    public float DocumentFlopsWeight { get; init; }

    /// <summary>What the two FLOPS weights weigh.</summary>
    public RegularizerKind Regularizer { get; init; }

    /// <summary>Mean non-zeros of a query vector that <see cref="QueryFlopsWeight"/> is steered to; 0 leaves it as it is.</summary>
    public float QueryNonZeroTarget { get; init; }

    /// <summary>Mean non-zeros of a document vector that <see cref="DocumentFlopsWeight"/> is steered to; 0 leaves it as it is.</summary>
    public float DocumentNonZeroTarget { get; init; }

    /// <summary>Steps over which the FLOPS weights rise quadratically; 0 for a third of the run.</summary>
    public int FlopsRampSteps { get; init; }

    public ulong Seed { get; init; } = 1;

    /// <summary>Steps between two looks for collapse, which begin when the warm-up ends; 0 for none.</summary>
    public int CollapseCheckInterval { get; init; } = 25;

    /// <summary>Where <c>checkpoint-…</c> directories and <c>training.jsonl</c> go; null for nowhere.</summary>
    public string? CheckpointDirectory { get; init; }

    /// <summary>Steps between checkpoints; 0 writes one only when the run is stopped.</summary>
    public int CheckpointInterval { get; init; }

    /// <summary>Older checkpoints of this run are deleted beyond this many.</summary>
    public int CheckpointsKept { get; init; } = 2;

    /// <summary>Files copied into every checkpoint, such as the tokenizer's, which make it a complete model directory.</summary>
    public IReadOnlyList<string> CheckpointFiles { get; init; } = [];

    internal int WarmupSteps => (int)Math.Ceiling((double)WarmupRatio * StepCount);

    internal int RampSteps => FlopsRampSteps > 0 ? FlopsRampSteps : Math.Max(1, StepCount / 3);

    /// <exception cref="ArgumentException">An option is out of its range; the message has its name, value and bound.</exception>
    internal void Validate()
    {
        Objective.Validate();
        Require(Temperature > 0f && float.IsFinite(Temperature), nameof(Temperature), Temperature, "a finite number above 0");
        Require(StepCount > 0, nameof(StepCount), StepCount, "at least 1");
        Require(BatchSize > 0, nameof(BatchSize), BatchSize, "at least 1");
        Require(NegativeCount >= 0, nameof(NegativeCount), NegativeCount, "at least 0");
        Require(!Objective.UsesTeacher || NegativeCount > 0, nameof(NegativeCount), NegativeCount, $"at least 1 for the objective {Objective}");
        Require(!Objective.UsesTeacher || !AllowFewerNegatives, nameof(AllowFewerNegatives), AllowFewerNegatives, "false for an objective with a teacher, which has not scored random documents");
        Require(AccumulationCount > 0, nameof(AccumulationCount), AccumulationCount, "at least 1");
        Require(GradCacheChunk >= 0, nameof(GradCacheChunk), GradCacheChunk, "at least 0");
        Require(LearningRate > 0f && float.IsFinite(LearningRate), nameof(LearningRate), LearningRate, "a finite number above 0");
        Require(WarmupRatio >= 0f && WarmupRatio <= 1f, nameof(WarmupRatio), WarmupRatio, "between 0 and 1");
        Require(DecaySteps >= 0, nameof(DecaySteps), DecaySteps, "at least 0");
        Require(Optimizer is { Beta1: >= 0f and < 1f, Beta2: >= 0f and < 1f, Epsilon: > 0f, WeightDecay: >= 0f }, nameof(Optimizer), Optimizer, "two betas from 0 to below 1, an epsilon above 0 and a decay of at least 0");
        Require(GradientClip >= 0f && float.IsFinite(GradientClip), nameof(GradientClip), GradientClip, "a finite number, at least 0");
        Require(QueryFlopsWeight >= 0f && float.IsFinite(QueryFlopsWeight), nameof(QueryFlopsWeight), QueryFlopsWeight, "a finite number, at least 0");
        Require(DocumentFlopsWeight >= 0f && float.IsFinite(DocumentFlopsWeight), nameof(DocumentFlopsWeight), DocumentFlopsWeight, "a finite number, at least 0");
        Require(ReferenceRankCount >= 0 && (ReferenceRankCount == 0 || BatchSize % ReferenceRankCount == 0), nameof(ReferenceRankCount), ReferenceRankCount, $"0, or a divisor of {nameof(BatchSize)} {BatchSize}");
        Require(QueryNonZeroTarget >= 0f && (QueryNonZeroTarget == 0f || QueryFlopsWeight > 0f), nameof(QueryNonZeroTarget), QueryNonZeroTarget, $"at least 0, and 0 without {nameof(QueryFlopsWeight)}");
        Require(DocumentNonZeroTarget >= 0f && (DocumentNonZeroTarget == 0f || DocumentFlopsWeight > 0f), nameof(DocumentNonZeroTarget), DocumentNonZeroTarget, $"at least 0, and 0 without {nameof(DocumentFlopsWeight)}");
        Require(Enum.IsDefined(Regularizer), nameof(Regularizer), Regularizer, "one of its names");
        Require(FlopsRampSteps >= 0, nameof(FlopsRampSteps), FlopsRampSteps, "at least 0");
        Require(CollapseCheckInterval >= 0, nameof(CollapseCheckInterval), CollapseCheckInterval, "at least 0");
        Require(CheckpointInterval >= 0, nameof(CheckpointInterval), CheckpointInterval, "at least 0");
        Require(CheckpointsKept > 0, nameof(CheckpointsKept), CheckpointsKept, "at least 1");
    }

    private static void Require(bool condition, string name, object value, string bound)
    {
        if (!condition)
        {
            throw new ArgumentException(FormattableString.Invariant($"{name} is {value}, must be {bound}"));
        }
    }
}

/// <summary>Parameters whose names contain <paramref name="NameContains"/> learn at this multiple of the learning rate.</summary>
public sealed record ParameterGroup(string NameContains, float LearningRateMultiplier);
