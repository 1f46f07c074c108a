using System.Text.Json;
using Tern.Model.Checkpoints;

namespace Tern.Model;

/// <summary>Between <see cref="LlamaConfig"/> and Hugging Face's <c>config.json</c>.</summary>
internal static class LlamaConfigJson
{
    public static LlamaConfig Read(string path)
    {
        using (JsonDocument document = JsonFile.Parse(path, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true }))
        {
            var keys = new ConfigKeys(path, "", document.RootElement);
            keys.Expect("model_type", "llama", "only Llama models are supported");
            keys.Expect("hidden_act", "silu", "only silu is supported");
            keys.ExpectFalse("attention_bias");
            keys.ExpectFalse("mlp_bias");

            int hidden = keys.Int("hidden_size");
            int heads = keys.Int("num_attention_heads");
            if (heads <= 0)
            {
                throw keys.Unsupported("num_attention_heads", "it must be above 0");
            }

            // Newer files keep theta and scaling together in rope_parameters; older ones have rope_theta and rope_scaling.
            ConfigKeys rope = keys.Object("rope_parameters") ?? keys.Object("rope_scaling") ?? new ConfigKeys(path, "rope_scaling.", default);
            var config = new LlamaConfig
            {
                HiddenSize = hidden,
                IntermediateSize = keys.Int("intermediate_size"),
                LayerCount = keys.Int("num_hidden_layers"),
                HeadCount = heads,
                KeyValueHeadCount = keys.Int("num_key_value_heads", heads),
                HeadSize = keys.Int("head_dim", hidden / heads),
                VocabularySize = keys.Int("vocab_size"),
                RmsNormEpsilon = keys.Float("rms_norm_eps", 1e-6f),
                RopeTheta = rope.Float("rope_theta", keys.Float("rope_theta", 10000f)),
                RopeScaling = ReadScaling(rope),
                TieWordEmbeddings = keys.Bool("tie_word_embeddings", false),
                MaxPositionCount = keys.Int("max_position_embeddings", 2048),
                BosTokenId = keys.TokenId("bos_token_id"),
                EosTokenId = keys.TokenId("eos_token_id"),
            };
            config.Validate(path);
            return config;
        }
    }

    public static void Write(LlamaConfig config, Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteStartArray("architectures");
        writer.WriteStringValue("LlamaForCausalLM");
        writer.WriteEndArray();
        writer.WriteString("model_type", "llama");
        writer.WriteNumber("hidden_size", config.HiddenSize);
        writer.WriteNumber("intermediate_size", config.IntermediateSize);
        writer.WriteNumber("num_hidden_layers", config.LayerCount);
        writer.WriteNumber("num_attention_heads", config.HeadCount);
        writer.WriteNumber("num_key_value_heads", config.KeyValueHeadCount);
        writer.WriteNumber("head_dim", config.HeadSize);
        writer.WriteNumber("vocab_size", config.VocabularySize);
        writer.WriteNumber("max_position_embeddings", config.MaxPositionCount);
        writer.WriteNumber("rms_norm_eps", config.RmsNormEpsilon);
        writer.WriteNumber("rope_theta", config.RopeTheta);
        if (config.RopeScaling is { } scaling)
        {
            writer.WriteStartObject("rope_scaling");
            writer.WriteString("rope_type", "llama3");
            writer.WriteNumber("factor", scaling.Factor);
            writer.WriteNumber("low_freq_factor", scaling.LowFrequencyFactor);
            writer.WriteNumber("high_freq_factor", scaling.HighFrequencyFactor);
            writer.WriteNumber("original_max_position_embeddings", scaling.OriginalMaxPositionCount);
            writer.WriteEndObject();
        }
        else
        {
            writer.WriteNull("rope_scaling");
        }

        writer.WriteString("hidden_act", "silu");
        writer.WriteBoolean("attention_bias", false);
        writer.WriteBoolean("mlp_bias", false);
        writer.WriteBoolean("tie_word_embeddings", config.TieWordEmbeddings);
        WriteTokenId("bos_token_id", config.BosTokenId);
        WriteTokenId("eos_token_id", config.EosTokenId);
        writer.WriteEndObject();

        void WriteTokenId(string key, int? id)
        {
            if (id is { } value)
            {
                writer.WriteNumber(key, value);
            }
            else
            {
                writer.WriteNull(key);
            }
        }
    }

    private static RopeScaling? ReadScaling(ConfigKeys rope)
    {
        string key = rope.Has("rope_type") ? "rope_type" : "type";
        switch (rope.Text(key, "default"))
        {
            case "default":
                if (rope.Has("factor"))
                {
                    throw rope.Unsupported("factor", "it needs \"rope_type\": \"llama3\" beside it");
                }

                return null;
            case "llama3":
                return new RopeScaling(rope.Float("factor"), rope.Float("low_freq_factor"), rope.Float("high_freq_factor"), rope.Int("original_max_position_embeddings"));
            default:
                throw rope.Unsupported(key, "only \"llama3\" and \"default\" are supported");
        }
    }
}
