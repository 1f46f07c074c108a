using Tern.Model;

namespace Tern.Pipelines.Demo;

/// <summary>Every number that the demo's results depend on, besides the collection and the step counts.</summary>
public sealed record DemoRecipe
{
    public int Seed { get; init; } = 1;

    public ModelRecipe Sparse { get; init; } = new() { HiddenSize = 128, LayerCount = 2, HeadCount = 4, KeyValueHeadCount = 4, IntermediateSize = 384, BatchSize = 192, LearningRate = 8e-4f, Steps = 190 };

    /// <summary>Wider than the sparse one: its vector is all it has, where the sparse model has the vocabulary.</summary>
    public ModelRecipe Dense { get; init; } = new() { HiddenSize = 256, LayerCount = 1, HeadCount = 8, KeyValueHeadCount = 8, IntermediateSize = 256, BatchSize = 256, LearningRate = 3e-3f, Steps = 200 };

    /// <summary>Entries of the trained byte-level vocabulary, lower-cased and split at case changes.</summary>
    public int VocabularySize { get; init; } = 8000;

    /// <summary>Standard deviation of the random embedding before a term's row is scaled by its idf.</summary>
    public float EmbeddingDeviation { get; init; } = 0.08f;

    /// <summary>Bounds of idf / mean idf, the factor on a term's embedding row: a frequent word starts light, a rare one heavy.</summary>
    public float IdfFloor { get; init; } = 0.2f;

    public float IdfCeiling { get; init; } = 2f;

    /// <summary>Start of the sparse head's learned addend per term; below zero, so that terms not in the text start silent.</summary>
    public float TermBias { get; init; } = -1f;

    /// <summary>Whether texts begin with the vocabulary's begin-of-text token.</summary>
    public bool AddBos { get; init; }

    public int MaxQueryTokens { get; init; } = 48;

    public int MaxDocumentTokens { get; init; } = 80;

    /// <summary>BM25-mined negatives per query beside the other documents of the batch; 0 mines nothing.</summary>
    public int HardNegativeCount { get; init; }

    /// <summary>BM25 ranks that hard negatives are drawn from.</summary>
    public int MiningDepth { get; init; } = 20;

    public float WarmUpRatio { get; init; } = 0.04f;

    public float ClipNorm { get; init; } = 1f;

    public float QueryFlopsWeight { get; init; } = 0.03f;

    public float DocumentFlopsWeight { get; init; } = 0.025f;

    /// <summary>Share of the steps over which the FLOPS weights grow quadratically to their full value.</summary>
    public float FlopsRampRatio { get; init; } = 1f / 3f;

    public float DenseTemperature { get; init; } = 0.02f;

    /// <summary>The sparse model's part of the training time.</summary>
    public double SparseShare { get; init; } = 0.6;

    /// <summary>Hits kept per query.</summary>
    public int SearchDepth { get; init; } = 100;

    /// <summary>Random sign flips of each paired randomisation test.</summary>
    public int RandomizationRounds { get; init; } = 20_000;

    public ModelRecipe Of(RepresentationKind kind) => kind == RepresentationKind.Sparse ? Sparse : Dense;

    /// <summary>
    /// This recipe with every knob that the training of one model does not depend on at a fixed value: where two recipes
    /// agree in this, they train equal models from equal examples in an equal number of steps.
    /// </summary>
    internal DemoRecipe ForTraining(RepresentationKind kind)
    {
        var defaults = new DemoRecipe();
        DemoRecipe common = this with
        {
            MiningDepth = defaults.MiningDepth,
            SparseShare = defaults.SparseShare,
            SearchDepth = defaults.SearchDepth,
            RandomizationRounds = defaults.RandomizationRounds,
        };
        return kind == RepresentationKind.Sparse
            ? common with
            {
                Sparse = Sparse with { Steps = 0 },
                Dense = defaults.Dense,
                DenseTemperature = defaults.DenseTemperature,
            }
            : common with
            {
                Dense = Dense with { Steps = 0 },
                Sparse = defaults.Sparse,
                QueryFlopsWeight = defaults.QueryFlopsWeight,
                DocumentFlopsWeight = defaults.DocumentFlopsWeight,
                FlopsRampRatio = defaults.FlopsRampRatio,
                TermBias = defaults.TermBias,
            };
    }
}

/// <summary>The shape of one of the demo's models and the course of its training.</summary>
public sealed record ModelRecipe
{
    public required int HiddenSize { get; init; }

    public required int LayerCount { get; init; }

    public required int HeadCount { get; init; }

    public required int KeyValueHeadCount { get; init; }

    public required int IntermediateSize { get; init; }

    public required int BatchSize { get; init; }

    public required float LearningRate { get; init; }

    /// <summary>Training steps where no time is given: with them the whole demo takes about five minutes on two cores.</summary>
    public required int Steps { get; init; }
}
