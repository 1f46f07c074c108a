using Microsoft.Extensions.AI;

namespace Tern;

/// <summary>
/// A <see cref="RetrieverModel"/> as an embedding generator. Safe for concurrent use; concurrent calls go through the network
/// together. The model stays its owner's: disposing a generator does nothing.
/// </summary>
internal abstract class RetrieverEmbeddingGenerator<TEmbedding>(RetrieverModel model) : IEmbeddingGenerator<string, TEmbedding>
    where TEmbedding : Embedding
{
    private readonly EmbeddingGeneratorMetadata _metadata = new("tern", null, model.Name, model.Dimension);

    protected RetrieverModel Model => model;

    public async Task<GeneratedEmbeddings<TEmbedding>> GenerateAsync(IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (options?.Dimensions is { } dimensions && dimensions != model.Dimension)
        {
            throw new NotSupportedException($"{dimensions} dimensions are asked for; the vectors of {model.Name} have {model.Dimension}");
        }

        if (options?.ModelId is { } id && id != model.Name)
        {
            throw new NotSupportedException($"the model '{id}' is asked for; this generator has '{model.Name}'");
        }

        var retrieval = options as RetrievalEmbeddingOptions ?? new RetrievalEmbeddingOptions();
        string[] texts = [.. values];
        (TEmbedding[] embeddings, long tokenCount) = texts.Length == 0 ? ([], 0) : await EncodeAsync(texts, retrieval, cancellationToken).ConfigureAwait(false);
        foreach (TEmbedding embedding in embeddings)
        {
            embedding.ModelId = model.Name;
        }

        return new GeneratedEmbeddings<TEmbedding>(embeddings)
        {
            Usage = new UsageDetails { InputTokenCount = tokenCount, TotalTokenCount = tokenCount },
        };
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(EmbeddingGeneratorMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(model) ? model
            : null;
    }

    public void Dispose()
    {
    }

    protected abstract Task<(TEmbedding[] Embeddings, long TokenCount)> EncodeAsync(string[] texts, RetrievalEmbeddingOptions options, CancellationToken cancellationToken);
}

internal sealed class SparseEmbeddingGenerator(RetrieverModel model) : RetrieverEmbeddingGenerator<SparseEmbedding>(model)
{
    protected override async Task<(SparseEmbedding[] Embeddings, long TokenCount)> EncodeAsync(string[] texts, RetrievalEmbeddingOptions options, CancellationToken cancellationToken)
    {
        if (options.MaxActiveDimensions is < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(options), options.MaxActiveDimensions, "MaxActiveDimensions must be at least 1, or null for what the model's contract says");
        }

        var encoded = await Model.EncodeSparseAsync(texts, options.Side, cancellationToken).ConfigureAwait(false);
        return ([.. encoded.Vectors.Select(v => new SparseEmbedding(v.Top(options.MaxActiveDimensions ?? 0), Model.Dimension))], encoded.TokenCount);
    }
}

internal sealed class DenseEmbeddingGenerator(RetrieverModel model) : RetrieverEmbeddingGenerator<Embedding<float>>(model)
{
    protected override async Task<(Embedding<float>[] Embeddings, long TokenCount)> EncodeAsync(string[] texts, RetrievalEmbeddingOptions options, CancellationToken cancellationToken)
    {
        if (options.MaxActiveDimensions is not null)
        {
            throw new NotSupportedException("MaxActiveDimensions is for sparse models; this one is dense");
        }

        EncodedTexts<float[]> encoded = await Model.EncodeDenseAsync(texts, options.Side, cancellationToken).ConfigureAwait(false);
        return ([.. encoded.Vectors.Select(v => new Embedding<float>(v))], encoded.TokenCount);
    }
}
