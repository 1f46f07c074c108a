namespace Tern.Pipelines.Demo;

/// <summary>Every number that the demo's results depend on, besides the collection and the step counts.</summary>
public sealed record DemoRecipe
{
    public int Seed { get; init; } = 1;

    /// <summary>Entries of the trained byte-level vocabulary, lower-cased and split at case changes.</summary>
    public int VocabularySize { get; init; } = 8000;

    public int HiddenSize { get; init; } = 128;

    public int LayerCount { get; init; } = 2;

    public int HeadCount { get; init; } = 4;

    public int KeyValueHeadCount { get; init; } = 4;

    public int IntermediateSize { get; init; } = 384;

    /// <summary>Standard deviation of the random embedding before a term's row is scaled by its idf.</summary>
    public float EmbeddingDeviation { get; init; } = 0.08f;

    /// <summary>Bounds of idf / mean idf, the factor on a term's embedding row: a frequent word starts light, a rare one heavy.</summary>
    public float IdfFloor { get; init; } = 0.2f;

    public float IdfCeiling { get; init; } = 2f;

    /// <summary>Start of the sparse head's learned addend per term; below zero, so that terms not in the text start silent.</summary>
    public float TermBias { get; init; } = -1f;

    /// <summary>Standard deviation of the blocks' projections, about 1/√hidden; the two that end a block start at zero.</summary>
    public float ProjectionDeviation { get; init; } = 0.088f;

    /// <summary>Whether texts begin with the vocabulary's begin-of-text token.</summary>
    public bool AddBos { get; init; }

    public int MaxQueryTokens { get; init; } = 48;

    public int MaxDocumentTokens { get; init; } = 80;

    public int BatchSize { get; init; } = 64;

    /// <summary>BM25-mined negatives per query beside the other documents of the batch; 0 mines nothing.</summary>
    public int HardNegativeCount { get; init; }

    /// <summary>BM25 ranks that hard negatives are drawn from.</summary>
    public int MiningDepth { get; init; } = 20;

    /// <summary>Steps of the sparse model where no time is given: about five minutes for the whole demo on two cores.</summary>
    public int SparseSteps { get; init; } = 500;

    /// <summary>Steps of the dense model where no time is given.</summary>
    public int DenseSteps { get; init; } = 500;

    public float SparseLearningRate { get; init; } = 1e-3f;

    public float DenseLearningRate { get; init; } = 1e-3f;

    public float WarmUpRatio { get; init; } = 0.04f;

    public float ClipNorm { get; init; } = 1f;

    public float QueryFlopsWeight { get; init; } = 0.005f;

    public float DocumentFlopsWeight { get; init; } = 0.004f;

    /// <summary>Share of the steps over which the FLOPS weights grow quadratically to their full value.</summary>
    public float FlopsRampRatio { get; init; } = 1f / 3f;

    public float DenseTemperature { get; init; } = 0.05f;

    /// <summary>The sparse model's part of the training time.</summary>
    public double SparseShare { get; init; } = 0.6;

    /// <summary>Hits kept per query.</summary>
    public int SearchDepth { get; init; } = 100;

    /// <summary>Random sign flips of each paired randomisation test.</summary>
    public int RandomizationRounds { get; init; } = 100_000;

    /// <summary>hiddenSize^-¼, the factor on the sparse head's logits.</summary>
    public float LogitScale => (float)Math.Pow(HiddenSize, -0.25);
}
