using Microsoft.Extensions.AI;

namespace Tern;

/// <summary>What a retriever needs to know of the texts besides what every generator is told.</summary>
public sealed class RetrievalEmbeddingOptions : EmbeddingGenerationOptions
{
    public RetrievalEmbeddingOptions()
    {
    }

    private RetrievalEmbeddingOptions(RetrievalEmbeddingOptions other)
        : base(other)
    {
        Side = other.Side;
        MaxActiveDimensions = other.MaxActiveDimensions;
    }

    /// <summary>Questions or passages: the model's contract treats them differently. Without these options texts are documents.</summary>
    public RetrievalSide Side { get; set; } = RetrievalSide.Document;

    /// <summary>Sparse only: keep no more than the heaviest terms; null leaves it to the model's contract.</summary>
    public int? MaxActiveDimensions { get; set; }

    public override RetrievalEmbeddingOptions Clone() => new(this);
}
