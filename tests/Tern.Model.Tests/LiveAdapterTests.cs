using System.Text.Json;
using Tern.Compute;
using Tern.Model.Checkpoints;
using Tern.TestKit;
using Xunit;

namespace Tern.Model.Tests;

/// <summary>Adapters that stay beside the weights: what they add, what they save, and what they leave alone.</summary>
public sealed class LiveAdapterTests : IDisposable
{
    private static readonly LlamaConfig Config = LlamaShapes.All["tiny"];
    private static readonly int[] Tokens = [3, 1, 4, 15, 9, 2, 6, 5, 35, 8, 97];
    private static readonly int[] Starts = [0, 4, 5, 11];

    private readonly TemporaryDirectory _directory = new();
    private readonly IBackend _backend = Backends.Create("cpu", 2);

    public void Dispose()
    {
        _backend.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData(DType.Float32, RepresentationKind.Sparse, 2e-6)]
    [InlineData(DType.Float32, RepresentationKind.Dense, 2e-6)]
    [InlineData(DType.BFloat16, RepresentationKind.Sparse, 0.02)]
    public void LiveEqualsMergedToTheRoundingOfTheWeights(DType dtype, RepresentationKind kind, double limit)
    {
        string model = RandomModel(dtype, kind), first = Path.Combine(_directory.Path, "first"), second = Path.Combine(_directory.Path, "second"), merged = Path.Combine(_directory.Path, "merged");
        Train(model, first, kind, new LoraSettings { Rank = 3, Alpha = 5 }, seed: 1);
        Train(first, second, kind, new LoraSettings { Rank = 2, Alpha = 4, Targets = ["q_proj", "down_proj"] }, seed: 2);

        using RetrieverNetwork below = RetrieverNetwork.Load(_backend, model), live = RetrieverNetwork.Load(_backend, second);
        Assert.Equal(2, live.Weights.Adapters.Count);
        Assert.False(live.Weights.IsTrainable);
        Assert.Equal(dtype, live.Weights.Layers[0].Query.Value.DType);
        MergedCheckpoint.Write(_backend, model, [LoraAdapter.Open(first), LoraAdapter.Open(second)], RetrieverContract.Load(second), merged);
        using RetrieverNetwork sum = RetrieverNetwork.Load(_backend, merged);
        float[] expected = Encode(sum), actual = Encode(live);
        Compare.Close(expected, actual, limit, $"{dtype} live beside merged");
        Assert.True(Distance(expected, Encode(below)) > 0.1, "the adapters change nothing, so that the test shows nothing");
        Assert.NotEqual(below.Weights.Fingerprint(), live.Weights.Fingerprint());
        Assert.Equal(live.Contract.Fingerprint, live.Weights.Fingerprint());
    }

    [Fact]
    public void ANewAdapterChangesNothingAndOnlyItIsTrained()
    {
        string model = RandomModel(DType.BFloat16, RepresentationKind.Sparse);
        using RetrieverNetwork plain = RetrieverNetwork.Load(_backend, model), adapted = RetrieverNetwork.Load(_backend, model);
        adapted.Weights.AddAdapter(new LoraSettings { Rank = 4, Targets = ["v_proj", "up_proj"] }, model);

        Assert.Equal(Encode(plain), Encode(adapted));
        Assert.Equal(2 * 2 * Config.LayerCount, adapted.Weights.TrainableParameters.Count);
        Assert.All(adapted.Weights.Parameters, p => Assert.False(p.IsTrainable));
        Assert.All(adapted.Weights.Adapters[0].Projections, p =>
        {
            float bound = 1 / MathF.Sqrt(p.A.Value.Columns);
            float[] a = _backend.Download(p.A.Value);
            Assert.InRange(a.Max(), 0.9f * bound, bound);
            Assert.InRange(a.Min(), -bound, -0.9f * bound);
            Assert.All(_backend.Download(p.B.Value), b => Assert.Equal(0f, b));
        });
        Assert.Throws<InvalidOperationException>(() => adapted.Weights.AddAdapter(new LoraSettings(), model));
        using LlamaWeights trainable = LlamaWeights.Load(_backend, model, trainable: true);
        Assert.Throws<InvalidOperationException>(() => trainable.AddAdapter(new LoraSettings(), model));
    }

    /// <summary>The names and keys that PEFT 0.14 reads and the paper's system checks, for its two kinds of model.</summary>
    [Theory]
    [InlineData(RepresentationKind.Sparse, "base_model.model.model.layers.", "LlamaBiForMNTP")]
    [InlineData(RepresentationKind.Dense, "base_model.model.layers.", "LlamaBiModel")]
    public void ASavedAdapterHasPeftsNames(RepresentationKind kind, string prefix, string baseClass)
    {
        string model = RandomModel(DType.Float32, kind), adapter = Path.Combine(_directory.Path, "adapter");
        Train(model, adapter, kind, new LoraSettings { Rank = 2, Alpha = 6, Dropout = 0.1f }, seed: 1);

        string[] expected = [.. from layer in Enumerable.Range(0, Config.LayerCount)
                               from projection in new[] { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj" }
                               from half in "AB"
                               select $"{prefix}{layer}.{projection}.lora_{half}.weight"];
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(adapter, "adapter_model.safetensors"));
        Assert.Equal(expected.Order(), file.Entries.Keys.Order());
        Assert.Equal([2, Config.IntermediateSize], file.Entries[$"{prefix}0.mlp.down_proj.lora_A.weight"].Shape);
        Assert.Equal([Config.HiddenSize, 2], file.Entries[$"{prefix}0.mlp.down_proj.lora_B.weight"].Shape);
        Assert.False(File.Exists(Path.Combine(adapter, "model.safetensors")));

        using JsonDocument config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(adapter, "adapter_config.json")));
        JsonElement root = config.RootElement;
        Assert.Equal(baseClass, root.GetProperty("auto_mapping").GetProperty("base_model_class").GetString());
        Assert.Equal((2, 6.0, "LORA", Path.GetFullPath(model)), (root.GetProperty("r").GetInt32(), root.GetProperty("lora_alpha").GetDouble(), root.GetProperty("peft_type").GetString(), root.GetProperty("base_model_name_or_path").GetString()));
        Assert.Equal(0.1f, root.GetProperty("lora_dropout").GetSingle());
        Assert.Equal(LoraSettings.AllTargets.Order(), root.GetProperty("target_modules").EnumerateArray().Select(t => t.GetString()!).Order());

        using RetrieverNetwork again = RetrieverNetwork.Load(_backend, adapter, trainable: true);
        Assert.True(again.Weights.Adapters[0].IsTrainable);
        Assert.Equal(0.1f, again.Weights.Adapters[0].Projections[0].DropoutRate);
        Assert.Equal(0, again.SelfTest().MaximalDeviation);
    }

    [Fact]
    public void TheRewriteFromMntpToTheBodyAndBackIsTheSameFile()
    {
        string model = RandomModel(DType.Float32, RepresentationKind.Sparse), mntp = Path.Combine(_directory.Path, "mntp"), body = Path.Combine(_directory.Path, "body"), back = Path.Combine(_directory.Path, "back"), again = Path.Combine(_directory.Path, "again");
        Train(model, mntp, RepresentationKind.Sparse, new LoraSettings { Rank = 2 }, seed: 1);
        LoraAdapterFile.Write(LoraAdapter.Open(mntp), AdapterLayout.Body, body);
        LoraAdapterFile.Write(LoraAdapter.Open(body), AdapterLayout.LanguageModel, back);
        LoraAdapterFile.Write(LoraAdapter.Open(back), AdapterLayout.Body, again);

        using (SafetensorsFile file = SafetensorsFile.Open(Path.Combine(body, "adapter_model.safetensors")))
        {
            Assert.All(file.Entries.Keys, name => Assert.StartsWith("base_model.model.layers.", name, StringComparison.Ordinal));
        }

        Assert.Contains("\"LlamaBiModel\"", File.ReadAllText(Path.Combine(body, "adapter_config.json")), StringComparison.Ordinal);
        Assert.Equal(File.ReadAllText(Path.Combine(mntp, "adapter_config.json")), File.ReadAllText(Path.Combine(back, "adapter_config.json")));
        Assert.Equal(File.ReadAllBytes(Path.Combine(body, "adapter_model.safetensors")), File.ReadAllBytes(Path.Combine(again, "adapter_model.safetensors")));
        foreach ((string name, LoraPair pair) in LoraAdapter.Open(mntp).Pairs)
        {
            LoraPair other = LoraAdapter.Open(back).Pairs[name];
            Assert.Equal(pair.A, other.A);
            Assert.Equal(pair.B, other.B);
        }
    }

    /// <summary>Dropped from equal keys the same way whatever is beside it; without keys not at all.</summary>
    [Fact]
    public void ASequencesDropoutIsItsOwn()
    {
        string model = RandomModel(DType.Float32, RepresentationKind.Sparse);
        using RetrieverNetwork network = RetrieverNetwork.Load(_backend, model);
        Fill(network.Weights.AddAdapter(new LoraSettings { Rank = 4, Dropout = 0.3f }, model), 1);
        uint[] keys = [7, 8, 9];
        float[] whole = _backend.Download(network.Forward(Tokens, Starts, keepForBackward: true, keys));
        float[] undropped = Encode(network);
        for (int b = 0; b < keys.Length; b++)
        {
            int[] own = Tokens[Starts[b]..Starts[b + 1]];
            float[] alone = _backend.Download(network.Forward(own, [0, own.Length], keepForBackward: b == 1, [keys[b]]));
            Assert.Equal(whole[(b * network.Dimension)..((b + 1) * network.Dimension)], alone);
            Assert.NotEqual(alone, _backend.Download(network.Forward(own, [0, own.Length], keepForBackward: false, [keys[b] + 100])));
        }

        Assert.NotEqual(whole, undropped);
        Assert.Equal(undropped, Encode(network));
        Assert.Throws<ArgumentException>(() => network.Forward(Tokens, Starts, true, [1, 2]));
    }

    [Fact]
    public void WhatAnAdapterLiesOnIsFoundOrSaidToBeMissing()
    {
        string model = RandomModel(DType.Float32, RepresentationKind.Sparse), adapter = Path.Combine(_directory.Path, "adapter"), config = Path.Combine(adapter, "adapter_config.json");
        Train(model, adapter, RepresentationKind.Sparse, new LoraSettings { Rank = 2 }, seed: 1);
        string text = File.ReadAllText(config), name = JsonSerializer.Serialize(Path.GetFullPath(model));

        File.WriteAllText(config, text.Replace(name, "\"../base\"", StringComparison.Ordinal));
        Assert.Equal(Path.GetFullPath(model), Path.GetFullPath(AdapterStack.Open(adapter).BaseDirectory));

        File.WriteAllText(config, text.Replace(name, "\"../adapter\"", StringComparison.Ordinal));
        Assert.Contains("circle", Assert.Throws<InvalidDataException>(() => AdapterStack.Open(adapter)).Message, StringComparison.Ordinal);

        File.WriteAllText(config, text.Replace(name, "\"no-such/model\"", StringComparison.Ordinal));
        string message = Assert.Throws<InvalidDataException>(() => RetrieverNetwork.Load(_backend, adapter)).Message;
        Assert.Contains("no-such/model", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        Assert.Equal(model, AdapterStack.Open(adapter, model).BaseDirectory);
    }

    [Theory]
    [InlineData("q,v", "q_proj,v_proj")]
    [InlineData("down_proj, k", "k_proj,down_proj")]
    [InlineData("all", "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj")]
    public void TargetsAreNamedShortOrLong(string text, string expected) => Assert.Equal(expected, string.Join(',', LoraSettings.ParseTargets(text)));

    [Fact]
    public void SettingsOutOfRangeAreRefusedByName()
    {
        Assert.Contains("'x_proj' is no projection", Assert.Throws<ArgumentException>(() => LoraSettings.ParseTargets("q,x")).Message, StringComparison.Ordinal);
        Assert.Contains("Dropout is 1", Assert.Throws<ArgumentException>(() => new LoraSettings { Dropout = 1f }.Validate()).Message, StringComparison.Ordinal);
        Assert.Contains("Rank is 0", Assert.Throws<ArgumentException>(() => new LoraSettings { Rank = 0 }.Validate()).Message, StringComparison.Ordinal);
    }

    private string RandomModel(DType dtype, RepresentationKind kind)
    {
        string model = Path.Combine(_directory.Path, "base");
        RandomCheckpoint.Write(model, Config, RetrieverContract.Lion(kind, Config), new LlamaInitialization { EmbeddingStandardDeviation = 0.5f, ProjectionStandardDeviation = 0.1f }, dtype, threads: 1);
        return model;
    }

    /// <summary>Saves an adapter with random halves above what a directory holds.</summary>
    private void Train(string below, string directory, RepresentationKind kind, LoraSettings settings, int seed)
    {
        LlamaWeights weights = LlamaWeights.LoadStack(_backend, AdapterStack.Open(below));
        using var network = new RetrieverNetwork(_backend, weights, RetrieverContract.Lion(kind, Config));
        network.AddGolden("a text", isQuery: true, [1, 2, 3]);
        Fill(weights.AddAdapter(settings, Path.GetFullPath(below)), seed);
        network.Save(directory);
    }

    private void Fill(LiveAdapter adapter, int seed)
    {
        foreach (Parameter half in adapter.Parameters)
        {
            _backend.Upload<float>(TestValues.Normal(half.Value.Rows * half.Value.Columns, seed++, 0.2), half.Value);
        }
    }

    private float[] Encode(RetrieverNetwork network) => _backend.Download(network.Forward(Tokens, Starts));

    private static double Distance(float[] a, float[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max();
}
