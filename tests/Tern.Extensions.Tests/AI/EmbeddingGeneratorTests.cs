using Microsoft.Extensions.AI;
using Tern.Retrieval;
using Xunit;

namespace Tern.Extensions.Tests.AI;

public sealed class EmbeddingGeneratorTests(Models models) : IClassFixture<Models>
{
    private static readonly string[] Texts = ["golden horse", "", "the red fox near the river"];

    [Theory]
    [InlineData(RetrievalSide.Query)]
    [InlineData(RetrievalSide.Document)]
    public async Task SparseEmbeddingsAreTheModelsVectors(RetrievalSide side)
    {
        using var model = RetrieverModel.Load(models.Sparse);
        IEmbeddingGenerator<string, SparseEmbedding> generator = model.AsSparseGenerator();
        GeneratedEmbeddings<SparseEmbedding> embeddings = await generator.GenerateAsync(Texts, new RetrievalEmbeddingOptions { Side = side });
        IReadOnlyList<SparseVector> expected = model.EncodeSparse(Texts, side);
        Assert.Equal(expected.Select(v => v.Weights.ToArray()), embeddings.Select(e => e.Values.ToArray()));
        Assert.Equal(expected.Select(v => v.Terms.ToArray()), embeddings.Select(e => e.Indices.ToArray()));
        Assert.All(embeddings, e => Assert.Equal((model.Dimension, "sparse"), (e.Dimensions, e.ModelId)));
        Assert.Equal(TokenCount(model, side), embeddings.Usage!.InputTokenCount);
    }

    [Fact]
    public async Task DenseEmbeddingsAreTheModelsVectors()
    {
        using var model = RetrieverModel.Load(models.Dense);
        IEmbeddingGenerator<string, Embedding<float>> generator = model.AsDenseGenerator();
        GeneratedEmbeddings<Embedding<float>> embeddings = await generator.GenerateAsync(Texts);
        Assert.Equal(model.EncodeDense(Texts, RetrievalSide.Document), embeddings.Select(e => e.Vector.ToArray()));
        Assert.Equal(TokenCount(model, RetrievalSide.Document), embeddings.Usage!.InputTokenCount);
        await Assert.ThrowsAsync<NotSupportedException>(() => generator.GenerateAsync(Texts, new RetrievalEmbeddingOptions { MaxActiveDimensions = 3 }));
    }

    [Fact]
    public async Task OptionsSurviveACloneAndLimitTheTerms()
    {
        using var model = RetrieverModel.Load(models.Sparse);
        EmbeddingGenerationOptions options = new RetrievalEmbeddingOptions { Side = RetrievalSide.Query, MaxActiveDimensions = 3, ModelId = "sparse" }.Clone();
        var clone = Assert.IsType<RetrievalEmbeddingOptions>(options);
        Assert.Equal((RetrievalSide.Query, 3, "sparse"), (clone.Side, clone.MaxActiveDimensions, clone.ModelId));
        SparseEmbedding limited = (await model.AsSparseGenerator().GenerateAsync(["golden horse"], options))[0];
        Assert.Equal(model.EncodeSparse(["golden horse"], RetrievalSide.Query)[0].Top(3).Terms.ToArray(), limited.Indices.ToArray());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => model.AsSparseGenerator().GenerateAsync(["x"], new RetrievalEmbeddingOptions { MaxActiveDimensions = 0 }));
    }

    [Fact]
    public async Task WhatTheModelCannotGiveIsRefused()
    {
        using var model = RetrieverModel.Load(models.Sparse);
        IEmbeddingGenerator<string, SparseEmbedding> generator = model.AsSparseGenerator();
        await Assert.ThrowsAsync<NotSupportedException>(() => generator.GenerateAsync(["x"], new EmbeddingGenerationOptions { Dimensions = 5 }));
        await Assert.ThrowsAsync<NotSupportedException>(() => generator.GenerateAsync(["x"], new EmbeddingGenerationOptions { ModelId = "other" }));
        Assert.Contains("AsSparseGenerator", Assert.Throws<InvalidOperationException>(() => model.AsDenseGenerator()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ServicesAreTheMetadataAndTheModel()
    {
        using var model = RetrieverModel.Load(models.Sparse);
        IEmbeddingGenerator<string, SparseEmbedding> generator = model.AsSparseGenerator();
        EmbeddingGeneratorMetadata metadata = generator.GetService<EmbeddingGeneratorMetadata>()!;
        Assert.Equal(("tern", "sparse", model.Dimension), (metadata.ProviderName, metadata.DefaultModelId, metadata.DefaultModelDimensions));
        Assert.Same(model, generator.GetService<RetrieverModel>());
        Assert.Null(generator.GetService(typeof(RetrieverModel), "key"));
        generator.Dispose();
        Assert.NotEmpty(model.EncodeSparse(["golden horse"], RetrievalSide.Query)[0].Terms.ToArray());
    }

    private static long TokenCount(RetrieverModel model, RetrievalSide side)
    {
        List<int> tokens = [];
        foreach (string text in Texts)
        {
            model.Tokenizer.Encode(text, model.Contract.TokenizationFor(side), tokens);
        }

        return tokens.Count;
    }
}
