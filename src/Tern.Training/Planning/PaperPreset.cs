using Tern.Compute;
using Tern.Model;

namespace Tern.Training.Planning;

/// <summary>
/// One cell of the grid of "Scaling Sparse and Dense Retrieval in Decoder-Only LLMs": three sizes, two representations, three
/// objectives, with the values of the reference's scripts for MS MARCO. Batches and steps are those of its 4 GPUs together.
/// </summary>
public sealed record PaperPreset
{
    /// <summary>Examples of MS MARCO's training set, from which epochs become steps.</summary>
    public const int ExampleCount = 532_751;

    /// <summary>GPUs of the reference.</summary>
    public const int RankCount = 4;

    public const int QueryLength = 64;

    public const int DocumentLength = 128;

    private PaperPreset(string size, RepresentationKind kind, string objective, Recipe recipe)
    {
        Size = size;
        Kind = kind;
        ObjectiveName = objective;
        BatchSize = recipe.Batch;
        AccumulationCount = recipe.Accumulation;
        EpochCount = recipe.Epochs;
        NegativeCount = objective == "kd" ? 1 : 16;
        Seed = objective == "kd" ? 2UL : 45UL;

        // The sparse scripts say steps, the dense ones epochs, whose last batch of each is filled up.
        StepCount = kind == RepresentationKind.Sparse ? recipe.StepsPerEpoch * recipe.Epochs : (ExampleCount + recipe.Batch - 1) / recipe.Batch / recipe.Accumulation * recipe.Epochs;
    }

    /// <summary>All 18, by name: <c>1b-sparse-cl</c> to <c>8b-dense-cl+kd</c>.</summary>
    public static IReadOnlyDictionary<string, PaperPreset> All { get; } = new[] { "1b", "3b", "8b" }
        .SelectMany(size => Enum.GetValues<RepresentationKind>().SelectMany(kind => new[] { "cl", "kd", "cl+kd" }.Select(objective => new PaperPreset(size, kind, objective, Recipe.Of(size, objective)))))
        .ToDictionary(p => p.Name, StringComparer.Ordinal);

    public string Name => $"{Size}-{Kind.ToString().ToLowerInvariant()}-{ObjectiveName}";

    /// <summary><c>1b</c>, <c>3b</c> or <c>8b</c>.</summary>
    public string Size { get; }

    public RepresentationKind Kind { get; }

    /// <summary><c>cl</c>, <c>kd</c> (Margin-MSE) or <c>cl+kd</c> (half InfoNCE, half KL).</summary>
    public string ObjectiveName { get; }

    /// <summary>Queries of one contrastive batch, of the 4 GPUs together.</summary>
    public int BatchSize { get; }

    public int AccumulationCount { get; }

    public int EpochCount { get; }

    public int NegativeCount { get; }

    public ulong Seed { get; }

    public int StepCount { get; }

    /// <summary>Hugging Face's name of the backbone.</summary>
    public string Backbone => Size switch { "1b" => "meta-llama/Llama-3.2-1B", "3b" => "meta-llama/Llama-3.2-3B", _ => "meta-llama/Meta-Llama-3-8B" };

    /// <summary>The backbone's shape; the 8B of the paper is Llama 3, without scaled rotary frequencies.</summary>
    public LlamaConfig Config => Size switch
    {
        "1b" => LlamaShapes.All["llama-3.2-1b"],
        "3b" => LlamaShapes.All["llama-3.2-3b"],
        _ => LlamaShapes.All["llama-3.1-8b"] with { RopeScaling = null, MaxPositionCount = 8192 },
    };

    /// <summary>The adapter that all of them train.</summary>
    public static LoraSettings Lora { get; } = new();

    public RetrieverContract Contract => RetrieverContract.Lion(Kind, Config) with { MaxQueryTokens = QueryLength, MaxDocumentTokens = DocumentLength };

    /// <summary>The options of the run. The FLOPS weights' ramp ends after a third of the steps' batches, which is sooner in steps where batches accumulate.</summary>
    public TrainingOptions Options => new()
    {
        Objective = ObjectiveName switch { "cl" => TrainingObjective.InfoNce, "kd" => TrainingObjective.MarginMse, _ => TrainingObjective.InfoNceAndKlDivergence },
        Temperature = Kind == RepresentationKind.Sparse ? 1f : 0.01f,
        StepCount = StepCount,
        BatchSize = BatchSize,
        NegativeCount = NegativeCount,
        AccumulationCount = AccumulationCount,
        LearningRate = 1e-4f,
        WarmupRatio = 0.04f,
        Optimizer = new AdamWSettings(),
        GradientClip = 1f,
        QueryFlopsWeight = Kind == RepresentationKind.Sparse ? 0.05f : 0f,
        DocumentFlopsWeight = Kind == RepresentationKind.Sparse ? 0.04f : 0f,
        FlopsRampSteps = Math.Max(1, StepCount / 3 / AccumulationCount),
        MaskKnownPositives = false,
        RecomputeActivations = true,
        Seed = Seed,
    };

    private readonly record struct Recipe(int Batch, int Accumulation, int Epochs, int StepsPerEpoch)
    {
        public static Recipe Of(string size, string objective) => (size, objective) switch
        {
            ("1b", "kd") => new(1024, 1, 56, 525),
            ("3b", "kd") => new(512, 1, 24, 1050),
            ("8b", "kd") => new(256, 2, 8, 1050),
            ("1b", _) => new(112, 1, 7, 4750),
            ("3b", _) => new(64, 2, 3, 4200),
            _ => new(32, 4, 1, 4200),
        };
    }
}
