using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Tern.Compute;
using Tern.Model.Checkpoints;
using Xunit;

namespace Tern.Model.Tests;

public sealed class LlamaWeightsTests
{
    private static readonly LlamaConfig Small = new() { HiddenSize = 16, IntermediateSize = 24, LayerCount = 2, HeadCount = 2, KeyValueHeadCount = 1, HeadSize = 8, VocabularySize = 50, TieWordEmbeddings = true };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SavedWeightsReadBackEqual(bool trainable)
    {
        using var directory = new TemporaryDirectory();
        using IBackend backend = Backends.Create();
        using LlamaWeights weights = LlamaWeights.Load(backend, GoldenLlama.Directory, trainable);

        weights.Save(directory.Path);

        using LlamaWeights read = LlamaWeights.Load(backend, directory.Path);
        Assert.Equal(weights.Parameters.Select(p => p.Name), read.Parameters.Select(p => p.Name));
        foreach ((Parameter expected, Parameter actual) in weights.Parameters.Zip(read.Parameters))
        {
            Assert.Equal(backend.Download(expected.Value), backend.Download(actual.Value));
        }

        Assert.Equal(weights.Fingerprint(), read.Fingerprint());
        Assert.Equal(["config.json", "model.safetensors"], Directory.GetFiles(directory.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    /// <summary>F16 and BF16 exactly as the numbers that they stand for, whatever they are kept in.</summary>
    [Theory]
    [InlineData("BF16", false, DType.BFloat16)]
    [InlineData("BF16", true, DType.Float32)]
    [InlineData("F16", false, DType.Float32)]
    [InlineData("F16", true, DType.Float32)]
    public void HalfPrecisionFilesAreReadExactly(string fileType, bool trainable, DType kept)
    {
        using var directory = new TemporaryDirectory();
        using IBackend backend = Backends.Create();
        using LlamaWeights golden = LlamaWeights.Load(backend, GoldenLlama.Directory);
        golden.Config.Save(directory.Path);
        Dictionary<string, float[]> expected = golden.Parameters.ToDictionary(p => p.Name, p => backend.Download(p.Value).Select(v => Round(v, fileType).Value).ToArray());
        SafetensorsWriter.Write(directory.File("model.safetensors"), [.. golden.Parameters.Select(p => new SafetensorsSource(p.Name, fileType, p.FileShape, s => s.Write(MemoryMarshal.AsBytes(backend.Download(p.Value).Select(v => Round(v, fileType).Bits).ToArray().AsSpan()))))]);

        using LlamaWeights weights = LlamaWeights.Load(backend, directory.Path, trainable);

        foreach (Parameter parameter in weights.Parameters)
        {
            Assert.Equal(parameter.IsVector ? DType.Float32 : kept, parameter.Value.DType);
            float[] values = parameter.Value.DType == DType.Float32 ? backend.Download(parameter.Value) : [.. parameter.Value.Span<ushort>().ToArray().Select(b => BitConverter.UInt32BitsToSingle((uint)b << 16))];
            Assert.Equal(expected[parameter.Name], values);
        }
    }

    [Fact]
    public void FrozenWeightsHaveNoGradientsAndTrainableOnesStartAtZero()
    {
        using IBackend backend = Backends.Create();
        using LlamaWeights frozen = LlamaWeights.Load(backend, GoldenLlama.Directory);
        using LlamaWeights trainable = LlamaWeights.Load(backend, GoldenLlama.Directory, trainable: true);

        Assert.False(frozen.IsTrainable);
        Assert.All(frozen.Parameters, p => Assert.True(p.Gradient.IsEmpty));
        foreach (Parameter parameter in trainable.Parameters)
        {
            Assert.Equal((parameter.Value.Rows, parameter.Value.Columns), (parameter.Gradient.Rows, parameter.Gradient.Columns));
            Assert.All(backend.Download(parameter.Gradient), g => Assert.Equal(0f, g));
            backend.Fill(1f, parameter.Gradient);
        }

        trainable.ZeroGradients();
        Assert.All(trainable.Parameters, p => Assert.All(backend.Download(p.Gradient), g => Assert.Equal(0f, g)));
    }

    [Fact]
    public void TiedOutputIsTheEmbeddingItself()
    {
        using IBackend backend = Backends.Create();
        using LlamaWeights tied = LlamaWeights.Random(backend, Small, new LlamaInitialization(), trainable: true);
        using LlamaWeights untied = LlamaWeights.Random(backend, Small with { TieWordEmbeddings = false }, new LlamaInitialization(), trainable: true);

        Assert.Same(tied.Embedding, tied.OutputProjection);
        Assert.Equal("lm_head.weight", untied.OutputProjection.Name);
        Assert.NotEqual(untied.Embedding.Value.Address, untied.OutputProjection.Value.Address);
        Assert.Equal(backend.Download(untied.Embedding.Value), backend.Download(untied.OutputProjection.Value));
        Assert.Equal((50L * 16) + tied.ElementCount, untied.ElementCount);
    }

    [Fact]
    public void RandomWeightsFollowTheirOptions()
    {
        using IBackend backend = Backends.Create();
        var config = Small with { HiddenSize = 64, IntermediateSize = 96, VocabularySize = 400, LayerCount = 8 };
        float[] scales = [.. Enumerable.Range(0, 400).Select(t => t % 2 == 0 ? 2f : 0.5f)];
        var options = new LlamaInitialization { Seed = 3, EmbeddingStandardDeviation = 0.08f, EmbeddingScales = scales, ProjectionStandardDeviation = 0.05f, TermBias = -1f };
        using LlamaWeights weights = LlamaWeights.Random(backend, config, options, trainable: false);
        using LlamaWeights zero = LlamaWeights.Random(backend, config, options with { ZeroResidualProjections = true }, trainable: false);

        float[] embedding = backend.Download(weights.Embedding.Value);
        Spread(embedding.Where((_, i) => i / 64 % 2 == 0), 0.16);
        Spread(embedding.Where((_, i) => i / 64 % 2 == 1), 0.04);
        Spread(backend.Download(weights.Layers[3].Gate.Value), 0.05);
        Spread(backend.Download(weights.Layers[3].Down.Value), 0.05 / 4);
        Assert.All(backend.Download(weights.Layers[0].FeedForwardNorm.Value), v => Assert.Equal(1f, v));
        Assert.All(backend.Download(weights.TermBias.Value), v => Assert.Equal(-1f, v));
        Assert.All(backend.Download(zero.Layers[7].Down.Value).Concat(backend.Download(zero.Layers[0].AttentionOutput.Value)), v => Assert.Equal(0f, v));
        Assert.Equal(backend.Download(weights.Layers[3].Gate.Value), backend.Download(zero.Layers[3].Gate.Value));

        static void Spread(IEnumerable<float> values, double expected)
        {
            float[] all = [.. values];
            double mean = all.Average(v => (double)v);
            Assert.Equal(0, mean / expected, 0.05);
            Assert.Equal(1, Math.Sqrt(all.Average(v => (v - mean) * (v - mean))) / expected, 0.05);
        }
    }

    [Fact]
    public void SeedNameAndConfigMakeTheFingerprint()
    {
        using IBackend backend = Backends.Create();
        string Print(LlamaConfig config, LlamaInitialization options)
        {
            using LlamaWeights weights = LlamaWeights.Random(backend, config, options, trainable: false);
            return weights.Fingerprint();
        }

        string first = Print(Small, new LlamaInitialization());

        Assert.Matches("^[0-9a-f]{32}$", first);
        Assert.Equal(first, Print(Small, new LlamaInitialization()));
        Assert.NotEqual(first, Print(Small, new LlamaInitialization { Seed = 1 }));
        Assert.NotEqual(first, Print(Small with { RopeTheta = 20000 }, new LlamaInitialization()));
        Assert.NotEqual(first, Print(Small, new LlamaInitialization { TermBias = 0 }));
    }

    [Fact]
    public void AMissingTensorIsNamed()
    {
        InvalidDataException e = LoadDamaged(header => header.Remove("model.layers.1.mlp.up_proj.weight"));

        Assert.Contains("'model.layers.1.mlp.up_proj.weight' is missing", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AWrongShapeIsNamedWithBothShapes()
    {
        InvalidDataException e = LoadDamaged(header => header["model.layers.0.self_attn.k_proj.weight"]!["shape"] = new JsonArray(32L, 16L));

        Assert.Contains("'model.layers.0.self_attn.k_proj.weight' is [32, 16]", e.Message, StringComparison.Ordinal);
        Assert.Contains("[16, 32]", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnUnsupportedTypeIsNamed()
    {
        InvalidDataException e = LoadDamaged(header => header["model.norm.weight"]!["dtype"] = "I32");

        Assert.Contains("'model.norm.weight' is I32", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ATensorThatTheModelWouldNotUseIsNamed()
    {
        using var directory = new TemporaryDirectory();
        directory.CopyFrom(GoldenLlama.Directory);
        (LlamaConfig.Load(directory.Path) with { LayerCount = 1 }).Save(directory.Path);
        using IBackend backend = Backends.Create();

        InvalidDataException e = Assert.Throws<InvalidDataException>(() => LlamaWeights.Load(backend, directory.Path));

        Assert.Contains("'model.layers.1.", e.Message, StringComparison.Ordinal);
    }

    /// <summary>Loads the golden checkpoint with its header changed; what is removed from the header is also cut from the file.</summary>
    private static InvalidDataException LoadDamaged(Action<JsonObject> change)
    {
        using var directory = new TemporaryDirectory();
        directory.CopyFrom(GoldenLlama.Directory);
        string path = directory.File("model.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        int headerByteCount = (int)BitConverter.ToInt64(bytes);
        JsonObject header = JsonNode.Parse(bytes.AsSpan(8, headerByteCount))!.AsObject();
        Dictionary<string, byte[]> contents = header.ToDictionary(p => p.Key, p => bytes[(8 + headerByteCount + (int)p.Value!["data_offsets"]![0]!)..(8 + headerByteCount + (int)p.Value!["data_offsets"]![1]!)]);
        change(header);
        SafetensorsWriter.Write(path, [.. header.Select(p => new SafetensorsSource(p.Key, (string)p.Value!["dtype"]!, [.. p.Value!["shape"]!.AsArray().Select(d => (long)d!)], s => s.Write(contents[p.Key])))]);
        using IBackend backend = Backends.Create();

        InvalidDataException e = Assert.Throws<InvalidDataException>(() => LlamaWeights.Load(backend, directory.Path));
        Assert.Contains(directory.Path, e.Message, StringComparison.Ordinal);
        return e;
    }

    private static (ushort Bits, float Value) Round(float value, string type)
    {
        if (type == "F16")
        {
            var half = (Half)value;
            return (BitConverter.HalfToUInt16Bits(half), (float)half);
        }

        ushort upper = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
        return (upper, BitConverter.UInt32BitsToSingle((uint)upper << 16));
    }
}
