namespace Tern.Model;

/// <summary>
/// How weights are drawn for training from scratch: norms are 1, the rest normal with mean 0. A weight's values depend
/// on the seed, its name and its shape only. An untied output projection starts as a copy of the embedding, so that a
/// sparse head begins as a bag of words either way.
/// </summary>
public sealed record LlamaInitialization
{
    public int Seed { get; init; }

    public float EmbeddingStandardDeviation { get; init; } = 0.02f;

    /// <summary>One factor per token on its embedding, such as idf / mean idf; null for none.</summary>
    public IReadOnlyList<float>? EmbeddingScales { get; init; }

    public float ProjectionStandardDeviation { get; init; } = 0.02f;

    /// <summary>True: blocks start as the identity (o_proj and down_proj are 0). False: those two are divided by √(2 · layers).</summary>
    public bool ZeroResidualProjections { get; init; }

    /// <summary>Start value of the sparse head's term bias; null: the model has none.</summary>
    public float? TermBias { get; init; }

    /// <summary>A weight's elements from <paramref name="first"/> on, counted row by row.</summary>
    internal void Fill(ParameterLayout layout, LlamaConfig config, Span<float> destination, long first = 0)
    {
        switch (layout.Role)
        {
            case ParameterRole.Norm:
                destination.Fill(1f);
                break;
            case ParameterRole.TermBias:
                destination.Fill(TermBias ?? 0f);
                break;
            case ParameterRole.Projection:
                Normal(layout.Name, ProjectionStandardDeviation, destination, first);
                break;
            case ParameterRole.ResidualProjection when ZeroResidualProjections:
                destination.Clear();
                break;
            case ParameterRole.ResidualProjection:
                Normal(layout.Name, ProjectionStandardDeviation / MathF.Sqrt(2f * config.LayerCount), destination, first);
                break;
            default:
                FillEmbedding(layout, destination, first);
                break;
        }
    }

    internal void Validate(LlamaConfig config)
    {
        if (EmbeddingScales is { } scales && scales.Count != config.VocabularySize)
        {
            throw new ArgumentException($"{nameof(EmbeddingScales)} has {scales.Count} values for a vocabulary of {config.VocabularySize}");
        }
    }

    private void FillEmbedding(ParameterLayout layout, Span<float> destination, long first)
    {
        // The stream of the output projection is the embedding's: the untied copy.
        Normal("model.embed_tokens.weight", EmbeddingStandardDeviation, destination, first);
        if (EmbeddingScales is { } scales)
        {
            for (int i = 0; i < destination.Length; i++)
            {
                destination[i] *= scales[(int)((first + i) / layout.Columns)];
            }
        }
    }

    private void Normal(string name, float standardDeviation, Span<float> destination, long first) => new NormalSource(Seed, name).Fill(standardDeviation, destination, first);
}
