namespace Tern.Model;

/// <summary>What a weight is for, which decides how it is drawn at random.</summary>
internal enum ParameterRole
{
    Embedding,
    Norm,
    Projection,

    /// <summary>A projection whose result is added to the residual stream.</summary>
    ResidualProjection,

    OutputProjection,
    TermBias,
}

/// <summary>Name, shape and role of one weight; vectors have one row.</summary>
internal sealed record ParameterLayout(string Name, int Rows, int Columns, ParameterRole Role)
{
    public const string TermBiasName = "sparse_head.bias";
    public const string OutputProjectionName = "lm_head.weight";

    public bool IsVector => Role is ParameterRole.Norm or ParameterRole.TermBias;

    /// <summary>All weights of a model in the order in which they are kept, saved and visited.</summary>
    public static IReadOnlyList<ParameterLayout> Of(LlamaConfig config, bool hasTermBias)
    {
        int hidden = config.HiddenSize;
        int queries = checked(config.HeadCount * config.HeadSize);
        int keys = config.KeyValueHeadCount * config.HeadSize;
        var all = new List<ParameterLayout> { new("model.embed_tokens.weight", config.VocabularySize, hidden, ParameterRole.Embedding) };
        for (int i = 0; i < config.LayerCount; i++)
        {
            string layer = FormattableString.Invariant($"model.layers.{i}.");
            all.Add(new(layer + "input_layernorm.weight", 1, hidden, ParameterRole.Norm));
            all.Add(new(layer + "self_attn.q_proj.weight", queries, hidden, ParameterRole.Projection));
            all.Add(new(layer + "self_attn.k_proj.weight", keys, hidden, ParameterRole.Projection));
            all.Add(new(layer + "self_attn.v_proj.weight", keys, hidden, ParameterRole.Projection));
            all.Add(new(layer + "self_attn.o_proj.weight", hidden, queries, ParameterRole.ResidualProjection));
            all.Add(new(layer + "post_attention_layernorm.weight", 1, hidden, ParameterRole.Norm));
            all.Add(new(layer + "mlp.gate_proj.weight", config.IntermediateSize, hidden, ParameterRole.Projection));
            all.Add(new(layer + "mlp.up_proj.weight", config.IntermediateSize, hidden, ParameterRole.Projection));
            all.Add(new(layer + "mlp.down_proj.weight", hidden, config.IntermediateSize, ParameterRole.ResidualProjection));
        }

        all.Add(new("model.norm.weight", 1, hidden, ParameterRole.Norm));
        if (!config.TieWordEmbeddings)
        {
            all.Add(new(OutputProjectionName, config.VocabularySize, hidden, ParameterRole.OutputProjection));
        }

        if (hasTermBias)
        {
            all.Add(new(TermBiasName, 1, config.VocabularySize, ParameterRole.TermBias));
        }

        return all;
    }
}
