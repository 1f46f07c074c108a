using Tern.Compute;
using Tern.Model;
using Tern.Text;

namespace Tern.Pipelines.Demo;

/// <summary>
/// The models that the demo trains, at their start: the blocks add nothing yet and the embedding rows are scaled by idf,
/// so that a text's vector begins as a weighted bag of its words.
/// </summary>
internal static class NetworkFactory
{
    public static RetrieverNetwork Create(IBackend backend, DemoRecipe recipe, RepresentationKind kind, Tokenizer tokenizer, IReadOnlyList<int> documentFrequencies, int documentCount)
    {
        ModelRecipe shape = recipe.Of(kind);
        var config = new LlamaConfig
        {
            HiddenSize = shape.HiddenSize,
            IntermediateSize = shape.IntermediateSize,
            LayerCount = shape.LayerCount,
            HeadCount = shape.HeadCount,
            KeyValueHeadCount = shape.KeyValueHeadCount,
            HeadSize = shape.HiddenSize / shape.HeadCount,
            VocabularySize = tokenizer.VocabularySize,
            TieWordEmbeddings = true,
            MaxPositionCount = Math.Max(recipe.MaxQueryTokens, recipe.MaxDocumentTokens),
            BosTokenId = tokenizer.BosId,
            EosTokenId = tokenizer.EosId,
        };
        bool sparse = kind == RepresentationKind.Sparse;
        var initialization = new LlamaInitialization
        {
            Seed = recipe.Seed,
            EmbeddingStandardDeviation = recipe.EmbeddingDeviation,
            EmbeddingScales = EmbeddingScales(documentFrequencies, documentCount, recipe),
            ProjectionStandardDeviation = 1f / MathF.Sqrt(shape.HiddenSize),
            ZeroResidualProjections = true,
            TermBias = sparse ? recipe.TermBias : null,
        };
        return new RetrieverNetwork(backend, LlamaWeights.Random(backend, config, initialization, trainable: true), Contract(recipe, kind));
    }

    public static RetrieverContract Contract(DemoRecipe recipe, RepresentationKind kind) => new()
    {
        Kind = kind,
        AddBos = recipe.AddBos,
        MaxQueryTokens = recipe.MaxQueryTokens,
        MaxDocumentTokens = recipe.MaxDocumentTokens,
        LogitScale = kind == RepresentationKind.Sparse ? (float)Math.Pow(recipe.Sparse.HiddenSize, -0.25) : 1f,
        HasTermBias = kind == RepresentationKind.Sparse,
    };

    /// <summary>idf / mean idf of the terms that occur, within the recipe's bounds; a term that never occurs counts as occurring once.</summary>
    internal static float[] EmbeddingScales(IReadOnlyList<int> documentFrequencies, int documentCount, DemoRecipe recipe)
    {
        double[] idf = [.. documentFrequencies.Select(df => Math.Log((documentCount + 1.0) / Math.Max(df, 1)))];
        double mean = idf.Where((_, term) => documentFrequencies[term] > 0).DefaultIfEmpty(1).Average();
        return [.. idf.Select(value => Math.Clamp((float)(value / mean), recipe.IdfFloor, recipe.IdfCeiling))];
    }
}
