using Tern.Compute;
using Tern.Compute.Memory;
using Tern.Model;

namespace Tern.Training.Planning;

/// <summary>What a cell of the paper's grid takes, told by its preset alone: neither weights nor data are needed.</summary>
/// <param name="FlopsPerStep">Of all ranks, counted by walking the trainer through texts of the mean lengths.</param>
/// <param name="Memory">A rank's, where every text is as long as it may be.</param>
public sealed record PaperPlan(PaperPreset Preset, double FlopsPerStep, MemoryPlan Memory, int RankCount)
{
    /// <summary>Mean tokens of a query and of a passage of MS MARCO.</summary>
    public const int MeanQueryLength = 8, MeanDocumentLength = 80;

    /// <summary>Operations of the whole run as they are executed.</summary>
    public double Flops => FlopsPerStep * Preset.StepCount;

    /// <summary>Queries of one step, accumulated batches together.</summary>
    public int EffectiveBatch => Preset.BatchSize * Preset.AccumulationCount;

    /// <summary>Tokens that the run encodes, at the mean lengths.</summary>
    public double TokenCount => (double)Preset.StepCount * EffectiveBatch * (MeanQueryLength + ((1.0 + Preset.NegativeCount) * MeanDocumentLength));

    /// <summary>6 · all parameters, the embedding among them, · tokens: how the scripts' epochs come to an equal budget.</summary>
    public double Convention
    {
        get
        {
            using PlanningBackend backend = new();
            using LlamaWeights blank = BlankWeights.Of(backend, Preset.Config, hasTermBias: false, trainable: false, DType.BFloat16);
            return 6.0 * blank.ElementCount * TokenCount;
        }
    }

    /// <summary>A plan for so many ranks, in chunks where a rank's texts do not fit the memory at once.</summary>
    /// <exception cref="ArgumentException">Not even one text at a time fits; says what it takes.</exception>
    public static PaperPlan Of(PaperPreset preset, int rankCount, long memoryByteCount)
    {
        TrainingOptions options = preset.Options with { StepCount = 1 };

        // One batch stands for all: these texts have one length.
        double batch = FlopPlan.Count(b => Weights(b, preset), preset.Contract, Texts(preset, MeanQueryLength, MeanDocumentLength), options with { AccumulationCount = 1 }, 1, 1);
        (_, MemoryPlan memory) = MemoryPlan.Within(memoryByteCount, b => Weights(b, preset), preset.Contract, Texts(preset, PaperPreset.QueryLength, PaperPreset.DocumentLength), options, rankCount);
        return new PaperPlan(preset, batch * preset.AccumulationCount, memory, rankCount);
    }

    /// <summary>The memory of a run whose texts are all as long as they may be, all texts of a batch at once.</summary>
    public static MemoryPlan MemoryOf(PaperPreset preset, int rankCount) =>
        MemoryPlan.Of(b => Weights(b, preset), preset.Contract, Texts(preset, PaperPreset.QueryLength, PaperPreset.DocumentLength), preset.Options with { StepCount = 1 }, rankCount);

    /// <summary>Seconds on one of these GPUs a rank, of whose peak a share is reached.</summary>
    public double Seconds(Accelerator accelerator, double utilization) => Flops / (RankCount * accelerator.PeakFlops * utilization);

    private static LlamaWeights Weights(IBackend backend, PaperPreset preset)
    {
        LlamaWeights weights = BlankWeights.Of(backend, preset.Config, hasTermBias: false, trainable: false, DType.BFloat16);
        weights.AddAdapter(PaperPreset.Lora, "");
        return weights;
    }

    private static TrainingSet Texts(PaperPreset preset, int queryLength, int documentLength) =>
        LongestTexts.Of(preset.BatchSize, preset.NegativeCount, queryLength, documentLength, preset.Name);
}
