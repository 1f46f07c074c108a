using Tern.Compute;
using Tern.Model;
using Tern.Text;

namespace Tern.Tests;

/// <summary>Model directories with random weights and a small vocabulary of their own.</summary>
internal static class TinyModel
{
    public static readonly string[] Animals = ["fox", "dog", "cat", "horse", "bird", "fish", "snake", "mouse"];
    public static readonly string[] Colors = ["red", "green", "blue", "black", "white", "golden"];

    /// <summary>One document for every color and animal.</summary>
    public static IReadOnlyList<Document> Documents { get; } =
        [.. from color in Colors from animal in Animals select new Document($"{color}-{animal}", $"{color} {animal}", $"The {color} {animal} waits near the river, {(animal.Length > 4 ? "quietly and without any hurry" : "asleep")}.")];

    public static RetrieverContract Contract(RepresentationKind kind) => new()
    {
        Kind = kind,
        LogitScale = kind == RepresentationKind.Sparse ? 0.5f : 1f,
        HasTermBias = kind == RepresentationKind.Sparse,
        MaxQueryTokens = 16,
        MaxDocumentTokens = 24,
        QueryPrefix = "find: ",
    };

    public static string Write(string directory, RepresentationKind kind, int seed = 1) => Write(directory, Contract(kind), seed);

    public static string Write(string directory, RetrieverContract contract, int seed = 1)
    {
        Directory.CreateDirectory(directory);
        string tokenizerPath = Path.Combine(directory, "tokenizer.json");
        BytePairTrainer.Train(Documents.Select(d => $"{d.Title} {d.Text}"), new BytePairTrainerOptions { VocabularySize = 340, Lowercase = true }, tokenizerPath);
        Tokenizer tokenizer = Tokenizer.Load(tokenizerPath);
        var config = new LlamaConfig
        {
            HiddenSize = 16,
            IntermediateSize = 24,
            LayerCount = 2,
            HeadCount = 2,
            KeyValueHeadCount = 1,
            HeadSize = 8,
            VocabularySize = tokenizer.VocabularySize,
            TieWordEmbeddings = true,
            BosTokenId = tokenizer.BosId,
        };
        var initialization = new LlamaInitialization
        {
            Seed = seed,
            EmbeddingStandardDeviation = 0.4f,
            ProjectionStandardDeviation = 0.2f,
            TermBias = contract.HasTermBias ? -0.5f : null,
        };
        using IBackend backend = Backends.Create("cpu", 1);
        using var network = new RetrieverNetwork(backend, LlamaWeights.Random(backend, config, initialization, trainable: false), contract);
        foreach ((string text, RetrievalSide side) in new[] { ("red fox", RetrievalSide.Query), (contract.Compose(Documents[7]), RetrievalSide.Document) })
        {
            List<int> tokens = [];
            tokenizer.Encode(text, contract.TokenizationFor(side), tokens);
            network.AddGolden(text, side == RetrievalSide.Query, tokens);
        }

        network.Save(directory);
        return directory;
    }
}
