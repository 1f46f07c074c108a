using System.Text.Json;

namespace Tern.Model.Checkpoints;

/// <summary>What is used of PEFT's <c>adapter_config.json</c>. What cannot be computed here is refused when it is read, never ignored.</summary>
public sealed record AdapterConfig
{
    public const string FileName = "adapter_config.json";

    public required int Rank { get; init; }

    public required float Alpha { get; init; }

    /// <summary>The part of the inputs that training drops.</summary>
    public float Dropout { get; init; }

    /// <summary>The projections that it was made for, by the end of their names; empty if the file does not list them.</summary>
    public IReadOnlyList<string> Targets { get; init; } = [];

    /// <summary>The model that the adapter was trained on: a directory or a name on a hub; empty if it does not say.</summary>
    public string BaseModel { get; init; } = "";

    /// <summary>Scales by alpha / √rank instead of alpha / rank.</summary>
    public bool UsesRankStabilizedScale { get; init; }

    /// <summary>Other ranks and alphas of some projections, by the end of their name.</summary>
    public IReadOnlyDictionary<string, float> RankPattern { get; init; } = new Dictionary<string, float>();

    /// <inheritdoc cref="RankPattern"/>
    public IReadOnlyDictionary<string, float> AlphaPattern { get; init; } = new Dictionary<string, float>();

    /// <summary>Reads the <c>adapter_config.json</c> of a directory.</summary>
    /// <exception cref="InvalidDataException">Missing, not JSON, or it asks for what is not supported; names file and key.</exception>
    public static AdapterConfig Load(string directory)
    {
        string path = Path.Combine(directory, FileName);
        if (!File.Exists(path))
        {
            throw new InvalidDataException($"{path}: missing: a LoRA adapter's directory holds it beside adapter_model.safetensors or adapter_model.bin");
        }

        using (JsonDocument document = JsonFile.Parse(path))
        {
            var keys = new ConfigKeys(path, "", document.RootElement);
            keys.Expect("peft_type", "LORA", "only LoRA adapters are supported");
            keys.Expect("bias", "none", "adapters that train biases are not supported: Llama's projections have none");
            foreach (string key in new[] { "fan_in_fan_out", "use_dora", "lora_bias" })
            {
                if (keys.Bool(key, false))
                {
                    throw keys.Unsupported(key, "only plain LoRA is supported");
                }
            }

            foreach (string key in new[] { "modules_to_save", "layer_replication", "megatron_config" })
            {
                if (keys.Has(key))
                {
                    throw keys.Unsupported(key, "only plain LoRA is supported");
                }
            }

            int rank = keys.Int("r");
            if (rank < 1)
            {
                throw keys.Unsupported("r", "it must be above 0");
            }

            float dropout = keys.Float("lora_dropout", 0f);
            if (!(dropout >= 0f && dropout < 1f))
            {
                throw keys.Unsupported("lora_dropout", "it must be from 0 to below 1");
            }

            return new AdapterConfig
            {
                Rank = rank,
                Dropout = dropout,
                Targets = keys.Texts("target_modules"),
                Alpha = keys.Float("lora_alpha"),
                BaseModel = keys.Text("base_model_name_or_path", ""),
                UsesRankStabilizedScale = keys.Bool("use_rslora", false),
                RankPattern = keys.Numbers("rank_pattern"),
                AlphaPattern = keys.Numbers("alpha_pattern"),
            };
        }
    }

    /// <summary>The factor on B·A of one projection, such as <c>model.layers.0.mlp.up_proj</c>, of that rank.</summary>
    public float Scale(string projection, int rank)
    {
        float alpha = Of(AlphaPattern, projection) ?? Alpha;
        return UsesRankStabilizedScale ? alpha / MathF.Sqrt(rank) : alpha / rank;
    }

    /// <summary>The rank that a projection must have.</summary>
    public int RankOf(string projection) => (int)(Of(RankPattern, projection) ?? Rank);

    private static float? Of(IReadOnlyDictionary<string, float> pattern, string projection)
    {
        foreach ((string key, float value) in pattern)
        {
            if (projection == key || projection.EndsWith("." + key, StringComparison.Ordinal))
            {
                return value;
            }
        }

        return null;
    }
}
