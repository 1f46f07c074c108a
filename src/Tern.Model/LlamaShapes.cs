namespace Tern.Model;

/// <summary>Published shapes of the Llama family, and a tiny one for trials, by name.</summary>
public static class LlamaShapes
{
    /// <summary>The shapes that have a name, smallest first.</summary>
    public static IReadOnlyDictionary<string, LlamaConfig> All { get; } = new OrderedDictionary<string, LlamaConfig>(StringComparer.Ordinal)
    {
        ["tiny"] = new LlamaConfig
        {
            HiddenSize = 64,
            IntermediateSize = 128,
            LayerCount = 2,
            HeadCount = 4,
            KeyValueHeadCount = 2,
            HeadSize = 16,
            VocabularySize = 512,
            TieWordEmbeddings = true,
            RopeTheta = 500000f,
        },
        ["llama-3.2-1b"] = Llama32(hidden: 2048, layers: 16, heads: 32, headSize: 64),
        ["llama-3.2-3b"] = Llama32(hidden: 3072, layers: 28, heads: 24, headSize: 128),
        ["llama-3-8b"] = Llama32(hidden: 4096, layers: 32, heads: 32, headSize: 128) with
        {
            IntermediateSize = 14336,
            TieWordEmbeddings = false,
            RopeScaling = null,
            MaxPositionCount = 8192,
        },
        ["llama-3.1-8b"] = Llama32(hidden: 4096, layers: 32, heads: 32, headSize: 128) with
        {
            IntermediateSize = 14336,
            TieWordEmbeddings = false,
            RopeScaling = new RopeScaling(8f, 1f, 4f, 8192),
        },
    };

    private static LlamaConfig Llama32(int hidden, int layers, int heads, int headSize) => new()
    {
        HiddenSize = hidden,
        IntermediateSize = 8192,
        LayerCount = layers,
        HeadCount = heads,
        KeyValueHeadCount = 8,
        HeadSize = headSize,
        VocabularySize = 128256,
        TieWordEmbeddings = true,
        RmsNormEpsilon = 1e-5f,
        RopeTheta = 500000f,
        RopeScaling = new RopeScaling(32f, 1f, 4f, 8192),
        MaxPositionCount = 131072,
        BosTokenId = 128000,
        EosTokenId = 128001,
    };
}
