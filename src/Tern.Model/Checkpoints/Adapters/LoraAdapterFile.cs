using System.Runtime.InteropServices;
using System.Text.Json;

namespace Tern.Model.Checkpoints;

/// <summary>What a PEFT adapter is wrapped around, which decides its tensors' names and its config's class.</summary>
public enum AdapterLayout
{
    /// <summary>A model with its output projection: names begin with <c>base_model.model.model.</c>; MNTP's and sparse retrievers'.</summary>
    LanguageModel,

    /// <summary>The body alone: names begin with <c>base_model.model.</c>; dense retrievers'.</summary>
    Body,
}

/// <summary>Writes adapters as PEFT does: <c>adapter_config.json</c> beside <c>adapter_model.safetensors</c>.</summary>
public static class LoraAdapterFile
{
    private const string Library = "scaling_retriever.modeling.bidirectional_llama";

    /// <summary>One tensor: name without the prefix, such as <c>layers.0.mlp.up_proj.lora_A.weight</c>, its shape and its values, read when written.</summary>
    internal readonly record struct Half(string Name, int Rows, int Columns, Func<float[]> Read);

    /// <summary>
    /// Writes an adapter that was read in another layout, or the same: the rewrite from MNTP to the body and back. Values are Float32.
    /// <paramref name="asTorch"/>: as adapter_model.bin, for readers that know no other.
    /// </summary>
    public static void Write(LoraAdapter adapter, AdapterLayout layout, string directory, bool asTorch = false)
    {
        Write(directory, adapter.Config, layout, asTorch, [.. adapter.Pairs.SelectMany(pair => new[]
        {
            new Half(Short(pair.Key, 'A'), pair.Value.Rank, pair.Value.Inputs, () => pair.Value.A),
            new Half(Short(pair.Key, 'B'), pair.Value.Outputs, pair.Value.Rank, () => pair.Value.B),
        })]);
    }

    /// <summary>Each file aside, then renamed.</summary>
    internal static void Write(string directory, AdapterConfig config, AdapterLayout layout, bool asTorch, IReadOnlyList<Half> halves)
    {
        Directory.CreateDirectory(directory);
        if (asTorch)
        {
            TorchArchiveWriter.Write(Path.Combine(directory, LoraAdapter.TorchName), [.. halves.Select(half => (Prefix(layout) + half.Name, (IReadOnlyList<int>)[half.Rows, half.Columns], half.Read))]);
        }
        else
        {
            SafetensorsWriter.Write(Path.Combine(directory, LoraAdapter.SafetensorsName), [.. halves.Select(half => new SafetensorsSource(
                Prefix(layout) + half.Name,
                "F32",
                [half.Rows, half.Columns],
                stream => stream.Write(MemoryMarshal.AsBytes(half.Read().AsSpan()))))]);
        }

        AtomicFile.Write(Path.Combine(directory, AdapterConfig.FileName), stream =>
        {
            using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
            WriteConfig(json, config, layout);
        });
    }

    internal static string Prefix(AdapterLayout layout) => layout == AdapterLayout.LanguageModel ? "base_model.model.model." : "base_model.model.";

    /// <summary>Name of a half in a file, without its prefix, from that of the weight.</summary>
    internal static string Short(string weight, char half) => $"{weight["model.".Length..^"weight".Length]}lora_{half}.weight";

    /// <summary>The keys of PEFT 0.14, in its order.</summary>
    private static void WriteConfig(Utf8JsonWriter json, AdapterConfig config, AdapterLayout layout)
    {
        json.WriteStartObject();
        Pattern("alpha_pattern", config.AlphaPattern);
        json.WriteStartObject("auto_mapping");
        json.WriteString("base_model_class", layout == AdapterLayout.LanguageModel ? "LlamaBiForMNTP" : "LlamaBiModel");
        json.WriteString("parent_library", Library);
        json.WriteEndObject();
        json.WriteString("base_model_name_or_path", config.BaseModel);
        json.WriteString("bias", "none");
        json.WriteNull("eva_config");
        json.WriteNull("exclude_modules");
        json.WriteBoolean("fan_in_fan_out", false);
        json.WriteBoolean("inference_mode", true);
        json.WriteBoolean("init_lora_weights", true);
        json.WriteNull("layer_replication");
        json.WriteNull("layers_pattern");
        json.WriteNull("layers_to_transform");
        json.WriteStartObject("loftq_config");
        json.WriteEndObject();
        json.WriteNumber("lora_alpha", config.Alpha);
        json.WriteBoolean("lora_bias", false);
        json.WriteNumber("lora_dropout", config.Dropout);
        json.WriteNull("megatron_config");
        json.WriteString("megatron_core", "megatron.core");
        json.WriteNull("modules_to_save");
        json.WriteString("peft_type", "LORA");
        json.WriteNumber("r", config.Rank);
        Pattern("rank_pattern", config.RankPattern);
        json.WriteNull("revision");
        json.WriteStartArray("target_modules");
        foreach (string target in config.Targets)
        {
            json.WriteStringValue(target);
        }

        json.WriteEndArray();
        json.WriteNull("task_type");
        json.WriteBoolean("use_dora", false);
        json.WriteBoolean("use_rslora", config.UsesRankStabilizedScale);
        json.WriteEndObject();

        void Pattern(string key, IReadOnlyDictionary<string, float> values)
        {
            json.WriteStartObject(key);
            foreach ((string name, float value) in values)
            {
                json.WriteNumber(name, value);
            }

            json.WriteEndObject();
        }
    }
}
