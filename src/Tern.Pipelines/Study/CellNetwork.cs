using Tern.Compute;
using Tern.Model;
using Tern.Pipelines.Demo;
using Tern.Text;
using Tern.Training;

namespace Tern.Pipelines.Study;

/// <summary>A cell's model at its start, its contract and the course of its training.</summary>
internal static class CellNetwork
{
    private const int CheckpointsPerRun = 8;

    public static RepresentationKind Kind(StudyCell cell) => cell.Type == "sparse" ? RepresentationKind.Sparse : RepresentationKind.Dense;

    public static RetrieverContract Contract(StudyPlan plan, RepresentationKind kind, int hiddenSize) => new()
    {
        Kind = kind,
        AddBos = false,
        MaxQueryTokens = plan.MaxQueryTokens,
        MaxDocumentTokens = plan.MaxDocumentTokens,
        LogitScale = kind == RepresentationKind.Sparse ? (float)Math.Pow(hiddenSize, -0.25) : 1f,
        HasTermBias = kind == RepresentationKind.Sparse,
    };

    /// <summary>As in the demo: the blocks add nothing yet and the embedding is scaled by idf, so that a text's vector begins as its words.</summary>
    public static LlamaWeights Weights(IBackend backend, StudyData data, StudyCell cell)
    {
        StudySize size = cell.Size;
        Tokenizer tokenizer = data.Tokenizer;
        var config = new LlamaConfig
        {
            HiddenSize = size.HiddenSize,
            IntermediateSize = size.IntermediateSize,
            LayerCount = size.LayerCount,
            HeadCount = size.HeadCount,
            KeyValueHeadCount = size.KeyValueHeadCount,
            HeadSize = size.HiddenSize / size.HeadCount,
            VocabularySize = tokenizer.VocabularySize,
            TieWordEmbeddings = true,
            MaxPositionCount = Math.Max(data.Plan.MaxQueryTokens, data.Plan.MaxDocumentTokens),
            BosTokenId = tokenizer.BosId,
            EosTokenId = tokenizer.EosId,
        };
        var recipe = new DemoRecipe();
        bool sparse = Kind(cell) == RepresentationKind.Sparse;
        var initialization = new LlamaInitialization
        {
            Seed = cell.Seed,
            EmbeddingStandardDeviation = recipe.EmbeddingDeviation,
            EmbeddingScales = NetworkFactory.EmbeddingScales(data.DocumentFrequencies, data.Documents.Count, recipe),
            ProjectionStandardDeviation = 1f / MathF.Sqrt(size.HiddenSize),
            ZeroResidualProjections = true,
            TermBias = sparse ? recipe.TermBias : null,
        };
        return LlamaWeights.Random(backend, config, initialization, trainable: true);
    }

    public static RetrieverContract Contract(StudyPlan plan, StudyCell cell) => Contract(plan, Kind(cell), cell.Size.HiddenSize);

    public static TrainingOptions Options(StudyPlan plan, StudyCell cell, int exampleCount, int stepCount)
    {
        bool sparse = Kind(cell) == RepresentationKind.Sparse;
        return new TrainingOptions
        {
            StepCount = stepCount,
            Objective = TrainingObjective.Parse(cell.Objective.Loss),
            Temperature = sparse ? 1f : plan.DenseTemperature,
            BatchSize = Math.Min(cell.Objective.BatchSize, exampleCount),
            NegativeCount = cell.Objective.NegativeCount,
            LearningRate = cell.Objective.LearningRate * (cell.Size.LearningRateFactor ?? 1f),
            WarmupRatio = plan.WarmupRatio,
            QueryFlopsWeight = sparse ? plan.QueryFlopsWeight : 0f,
            DocumentFlopsWeight = sparse ? plan.DocumentFlopsWeight : 0f,
            Seed = (ulong)cell.Seed,
            CheckpointInterval = Math.Max(1, stepCount / CheckpointsPerRun),
        };
    }
}
