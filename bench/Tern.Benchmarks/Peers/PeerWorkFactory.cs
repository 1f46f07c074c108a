using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Model;
using Tern.Pipelines.Demo;

namespace Tern.Benchmarks.Peers;

/// <summary>The verb <c>peers-prepare</c>: writes <see cref="PeerWork"/> and its models to a directory.</summary>
internal static class PeerWorkFactory
{
    public const string BlocksDirectory = "blocks", SparseDirectory = "sparse";
    private const int BlocksVocabulary = 8000, EqualLength = 128, TrainingDocuments = 32, MixedDocuments = 256;
    private const int ShortestDocument = 16, LongestDocument = 512;

    public static void Write(string directory)
    {
        Directory.CreateDirectory(directory);
        using IBackend backend = Backends.Create("cpu");
        WriteModels(backend, directory);
        Random random = new(20_250_713);
        DemoRecipe recipe = new();
        SparseHeadWork head = new(Sequences: 16, Length: 192, Vocabulary: 128_256, HiddenSize: 256, Bias: -3.6f);
        WriteHead(directory, head);
        new PeerWork
        {
            Documents = new Dictionary<string, int[][]>
            {
                ["equal"] = [.. Enumerable.Range(0, TrainingDocuments).Select(_ => Text(random, EqualLength))],
                ["mixed"] = [.. Enumerable.Range(0, MixedDocuments).Select(_ => Text(random, LogNormal(random, 100, 0.6, ShortestDocument, LongestDocument)))],
            },
            TrainingDocuments = TrainingDocuments,
            SparseStep = new SparseStepWork(
                Queries: [.. Enumerable.Range(0, recipe.Sparse.BatchSize).Select(_ => Text(random, LogNormal(random, 14, 0.5, 3, recipe.MaxQueryTokens)))],
                Documents: [.. Enumerable.Range(0, recipe.Sparse.BatchSize).Select(_ => Text(random, LogNormal(random, 36, 0.6, 6, recipe.MaxDocumentTokens)))],
                recipe.Sparse.LearningRate,
                StepCount: 1000,
                recipe.ClipNorm,
                recipe.QueryFlopsWeight,
                recipe.DocumentFlopsWeight,
                LogitScale: MathF.Pow(recipe.Sparse.HiddenSize, -0.25f)),
            SparseHead = head,
        }.Save(directory);
    }

    private static void WriteModels(IBackend backend, string directory)
    {
        LlamaConfig blocks = new()
        {
            HiddenSize = 512,
            IntermediateSize = 1536,
            LayerCount = 8,
            HeadCount = 8,
            KeyValueHeadCount = 4,
            HeadSize = 64,
            VocabularySize = BlocksVocabulary,
            TieWordEmbeddings = true,
            MaxPositionCount = LongestDocument,
        };
        using (RetrieverNetwork network = new(backend, LlamaWeights.Random(backend, blocks, new LlamaInitialization { Seed = 1, EmbeddingStandardDeviation = 1f, ProjectionStandardDeviation = 0.04f }, trainable: false), new RetrieverContract { Kind = RepresentationKind.Dense, AddBos = false, MaxDocumentTokens = LongestDocument }))
        {
            network.Save(Path.Combine(directory, BlocksDirectory));
        }

        DemoRecipe recipe = new();
        ModelRecipe shape = recipe.Sparse;
        LlamaConfig sparse = new()
        {
            HiddenSize = shape.HiddenSize,
            IntermediateSize = shape.IntermediateSize,
            LayerCount = shape.LayerCount,
            HeadCount = shape.HeadCount,
            KeyValueHeadCount = shape.KeyValueHeadCount,
            HeadSize = shape.HiddenSize / shape.HeadCount,
            VocabularySize = recipe.VocabularySize,
            TieWordEmbeddings = true,
            MaxPositionCount = recipe.MaxDocumentTokens,
        };
        LlamaInitialization start = new() { Seed = recipe.Seed, EmbeddingStandardDeviation = recipe.EmbeddingDeviation, ProjectionStandardDeviation = 1f / MathF.Sqrt(shape.HiddenSize), ZeroResidualProjections = true, TermBias = recipe.TermBias };
        RetrieverContract contract = new() { Kind = RepresentationKind.Sparse, AddBos = false, HasTermBias = true, LogitScale = MathF.Pow(shape.HiddenSize, -0.25f), MaxQueryTokens = recipe.MaxQueryTokens, MaxDocumentTokens = recipe.MaxDocumentTokens };
        using RetrieverNetwork sparseNetwork = new(backend, LlamaWeights.Random(backend, sparse, start, trainable: false), contract);
        sparseNetwork.Save(Path.Combine(directory, SparseDirectory));
    }

    private static void WriteHead(string directory, SparseHeadWork head)
    {
        Random random = new(7);
        float[] Normal(int count, double deviation) => [.. Enumerable.Range(0, count).Select(_ => (float)(Gaussian(random) * deviation))];
        File.WriteAllBytes(Path.Combine(directory, SparseHeadWork.HiddenFileName), MemoryMarshal.AsBytes(Normal(head.Sequences * head.Length * head.HiddenSize, 1).AsSpan()));
        File.WriteAllBytes(Path.Combine(directory, SparseHeadWork.WeightFileName), MemoryMarshal.AsBytes(Normal(head.Vocabulary * head.HiddenSize, 1 / Math.Sqrt(head.HiddenSize)).AsSpan()));
    }

    /// <summary>Ids whose frequencies fall roughly as those of words do.</summary>
    private static int[] Text(Random random, int length) => [.. Enumerable.Range(0, length).Select(_ => (int)Math.Min(BlocksVocabulary - 1, Math.Pow(BlocksVocabulary, random.NextDouble())))];

    private static int LogNormal(Random random, double median, double deviation, int least, int most) =>
        Math.Clamp((int)Math.Round(median * Math.Exp(deviation * Gaussian(random))), least, most);

    private static double Gaussian(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
