using Microsoft.Extensions.AI;
using Tern.Model;

namespace Tern;

/// <summary>Retriever models as the generators of Microsoft.Extensions.AI.</summary>
public static class EmbeddingGenerators
{
    /// <summary>A generator over a sparse model, which must live as long and stays the caller's to dispose.</summary>
    /// <exception cref="InvalidOperationException">The model is dense.</exception>
    public static IEmbeddingGenerator<string, SparseEmbedding> AsSparseGenerator(this RetrieverModel model) =>
        new SparseEmbeddingGenerator(Checked(model, RepresentationKind.Sparse, nameof(AsDenseGenerator)));

    /// <summary>A generator over a dense model, which must live as long and stays the caller's to dispose.</summary>
    /// <exception cref="InvalidOperationException">The model is sparse.</exception>
    public static IEmbeddingGenerator<string, Embedding<float>> AsDenseGenerator(this RetrieverModel model) =>
        new DenseEmbeddingGenerator(Checked(model, RepresentationKind.Dense, nameof(AsSparseGenerator)));

    private static RetrieverModel Checked(RetrieverModel model, RepresentationKind kind, string other) => model.Contract.Kind == kind
        ? model
        : throw new InvalidOperationException($"the model {model.Name} is {(kind == RepresentationKind.Sparse ? "dense" : "sparse")}: use {other}");
}
