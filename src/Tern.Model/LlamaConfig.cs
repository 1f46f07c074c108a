using System.Text.Json;
using Tern.Model.Checkpoints;

namespace Tern.Model;

/// <summary>
/// The shape of a Llama model, as in Hugging Face's <c>config.json</c>. What this implementation cannot compute (biases,
/// another activation, another kind of RoPE scaling) is refused when read, never ignored.
/// </summary>
public sealed record LlamaConfig
{
    public const string FileName = "config.json";

    /// <summary>Damaged files are told from real ones before anything is allocated for them.</summary>
    private const int MaxSize = 1 << 24, MaxLayerCount = 4096;

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int LayerCount { get; init; }

    public required int HeadCount { get; init; }

    /// <summary>Heads of keys and values; a divisor of <see cref="HeadCount"/>.</summary>
    public required int KeyValueHeadCount { get; init; }

    /// <summary>Width of one head; HeadCount × HeadSize need not equal HiddenSize.</summary>
    public required int HeadSize { get; init; }

    public required int VocabularySize { get; init; }

    public float RmsNormEpsilon { get; init; } = 1e-5f;

    public float RopeTheta { get; init; } = 10000f;

    /// <summary>Null: plain rotary positions.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>True: the output projection is the embedding table.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Longest sequence that the model was made for; longer ones are computed all the same.</summary>
    public int MaxPositionCount { get; init; } = 2048;

    public int? BosTokenId { get; init; }

    public int? EosTokenId { get; init; }

    /// <summary>Reads a <c>config.json</c>, or the one in a directory.</summary>
    /// <exception cref="InvalidDataException">The file is not JSON, lacks a key or asks for what is not supported; names file and key.</exception>
    public static LlamaConfig Load(string pathOrDirectory)
    {
        string path = Directory.Exists(pathOrDirectory) ? Path.Combine(pathOrDirectory, FileName) : pathOrDirectory;
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: not found; a model directory holds {FileName} and its safetensors files", path);
        }

        return LlamaConfigJson.Read(path);
    }

    /// <summary>Writes <c>config.json</c> with Hugging Face's key names; written aside, then renamed.</summary>
    public void Save(string directory)
    {
        Validate(nameof(LlamaConfig));
        Directory.CreateDirectory(directory);
        AtomicFile.Write(Path.Combine(directory, FileName), stream =>
        {
            using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
            LlamaConfigJson.Write(this, writer);
        });
    }

    /// <summary>Throws when sizes do not fit together; <paramref name="source"/> opens the message.</summary>
    internal void Validate(string source)
    {
        Positive(HiddenSize, "hidden_size");
        Positive(IntermediateSize, "intermediate_size");
        Positive(LayerCount, "num_hidden_layers");
        Positive(HeadCount, "num_attention_heads");
        Positive(KeyValueHeadCount, "num_key_value_heads");
        Positive(HeadSize, "head_dim");
        Positive(VocabularySize, "vocab_size");
        Require(HeadCount % KeyValueHeadCount == 0, $"num_attention_heads {HeadCount} is not a multiple of num_key_value_heads {KeyValueHeadCount}");
        Require(HeadSize % 2 == 0, $"head_dim {HeadSize} is odd; rotary positions need an even head size");
        Require(RmsNormEpsilon >= 0, $"rms_norm_eps {RmsNormEpsilon} is not a number of at least 0");
        Require(RopeTheta > 0, $"rope_theta {RopeTheta} is not above 0");
        if (RopeScaling is { } scaling)
        {
            Require(scaling.Factor > 0, $"rope_scaling.factor {scaling.Factor} is not above 0");
            Require(scaling.LowFrequencyFactor > 0 && scaling.HighFrequencyFactor > scaling.LowFrequencyFactor, $"rope_scaling.high_freq_factor {scaling.HighFrequencyFactor} is not above low_freq_factor {scaling.LowFrequencyFactor}, or that not above 0");
            Positive(scaling.OriginalMaxPositionCount, "rope_scaling.original_max_position_embeddings");
        }

        Require(LayerCount <= MaxLayerCount && (long)HeadCount * HeadSize <= MaxSize, $"num_hidden_layers {LayerCount} or num_attention_heads {HeadCount} times head_dim {HeadSize} is more than any model has");

        void Positive(int value, string key) => Require(value is > 0 and <= MaxSize, $"{key} {value} is not above 0, or more than any model has");

        void Require(bool holds, FormattableString what)
        {
            if (!holds)
            {
                throw new InvalidDataException($"{source}: {FormattableString.Invariant(what)}");
            }
        }
    }
}

/// <summary>
/// The "llama3" scaling of rotary frequencies: wavelengths above original / low factor are stretched by
/// <paramref name="Factor"/>, those below original / high factor stay, and those between are interpolated.
/// </summary>
public sealed record RopeScaling(float Factor, float LowFrequencyFactor, float HighFrequencyFactor, int OriginalMaxPositionCount);
