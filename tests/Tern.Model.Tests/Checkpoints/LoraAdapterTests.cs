using Tern.Compute;
using Tern.Model.Checkpoints;
using Tern.TestKit;
using Xunit;

namespace Tern.Model.Tests.Checkpoints;

public sealed class LoraAdapterTests : IDisposable
{
    private const int Rank = 3;
    private static readonly LlamaConfig Config = LlamaShapes.All["tiny"];
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("base_model.model.model.", ".weight", true)]
    [InlineData("base_model.model.", ".weight", false)]
    [InlineData("base_model.model.model.", ".default.weight", false)]
    public void EveryLayoutMeansTheSameProjections(string prefix, string suffix, bool torch)
    {
        LoraAdapter adapter = LoraAdapter.Open(Adapter("a", prefix, suffix, torch));
        Assert.Equal(7 * Config.LayerCount, adapter.Pairs.Count);
        LoraPair pair = adapter.Pairs["model.layers.1.mlp.down_proj.weight"];
        Assert.Equal((Rank, Config.IntermediateSize, Config.HiddenSize, 2f), (pair.Rank, pair.Inputs, pair.Outputs, pair.Scale));
        Assert.Equal(Values("layers.1.mlp.down_proj", "A", Rank * Config.IntermediateSize), pair.A);
        Assert.Equal(Values("layers.1.mlp.down_proj", "B", Rank * Config.HiddenSize), pair.B);
    }

    [Fact]
    public void MergingAddsScaledProductsInOrder()
    {
        string model = RandomModel(DType.Float32), merged = Path.Combine(_directory.Path, "merged");
        LoraAdapter first = LoraAdapter.Open(Adapter("first", "base_model.model.model.", ".weight", true)), second = LoraAdapter.Open(Adapter("second", "base_model.model.", ".weight", false, alpha: 1.5f));
        using IBackend backend = Backends.Create("cpu", 2);
        MergedCheckpoint.Write(backend, model, [first, second], RetrieverContract.Load(model), merged);
        using Checkpoint before = Checkpoint.Open(model), after = Checkpoint.Open(merged);
        foreach (ParameterLayout layout in ParameterLayout.Of(Config, false))
        {
            float[] old = Floats(before, layout.Name), sum = Floats(after, layout.Name);
            bool changes = first.Pairs.ContainsKey(layout.Name);
            Assert.Equal(layout.Role is ParameterRole.Projection or ParameterRole.ResidualProjection, changes);
            for (int i = 0; i < old.Length; i++)
            {
                double expected = old[i] + (changes ? Delta(first.Pairs[layout.Name], i) + Delta(second.Pairs[layout.Name], i) : 0);
                Assert.True(Math.Abs(expected - sum[i]) <= 1e-5 * (1 + Math.Abs(expected)), $"{layout.Name}[{i}] is {sum[i]}, not {expected}");
            }
        }

        using LlamaWeights weights = WeightLoader.Load(backend, merged, trainable: false);
        Assert.Equal(RetrieverContract.Load(merged).Fingerprint, weights.Fingerprint());
        Assert.NotEqual(RetrieverContract.Load(model).Fingerprint, weights.Fingerprint());
    }

    [Fact]
    public void AMergedBaseInHalvesIsRoundedOnce()
    {
        string model = RandomModel(DType.BFloat16), merged = Path.Combine(_directory.Path, "merged");
        LoraAdapter adapter = LoraAdapter.Open(Adapter("a", "base_model.model.model.", ".weight", true));
        using IBackend backend = Backends.Create("cpu", 1);
        MergedCheckpoint.Write(backend, model, [adapter], RetrieverContract.Load(model), merged);
        using Checkpoint before = Checkpoint.Open(model), after = Checkpoint.Open(merged);
        const string Name = "model.layers.0.self_attn.k_proj.weight";
        Assert.Equal("BF16", after.Find(Name).Entry.DType);
        float[] old = Floats(before, Name), sum = Floats(after, Name);
        for (int i = 0; i < old.Length; i++)
        {
            double expected = old[i] + Delta(adapter.Pairs[Name], i);
            Assert.True(Math.Abs(expected - sum[i]) <= (Math.Abs(expected) / 256) + 1e-6, $"[{i}] is {sum[i]}, not {expected}");
        }
    }

    [Fact]
    public void WhatDoesNotFitIsRefusedByName()
    {
        string adapter = Adapter("a", "base_model.model.model.", ".weight", true);
        foreach ((string from, string to, string expected) in new[]
        {
            ("\"r\": 3", "\"r\": 4", "rank 4"),
            ("\"use_dora\": false", "\"use_dora\": true", "use_dora"),
            ("\"LORA\"", "\"IA3\"", "IA3"),
            ("\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]", "modules_to_save"),
        })
        {
            string config = Path.Combine(adapter, AdapterConfig.FileName), text = File.ReadAllText(config);
            File.WriteAllText(config, text.Replace(from, to, StringComparison.Ordinal));
            Assert.Contains(expected, Assert.Throws<InvalidDataException>(() => LoraAdapter.Open(adapter)).Message, StringComparison.Ordinal);
            File.WriteAllText(config, text);
        }

        string half = Path.Combine(_directory.Path, "half");
        Directory.CreateDirectory(half);
        File.Copy(Path.Combine(adapter, AdapterConfig.FileName), Path.Combine(half, AdapterConfig.FileName));
        new TorchFileWriter().Add("base_model.model.layers.0.mlp.up_proj.lora_A.weight", new float[6], [3, 2]).Save(Path.Combine(half, LoraAdapter.TorchName));
        Assert.Contains("without lora_B", Assert.Throws<InvalidDataException>(() => LoraAdapter.Open(half)).Message, StringComparison.Ordinal);
        new TorchFileWriter().Add("base_model.model.model.embed_tokens.lora_embedding_A", new float[6], [3, 2]).Save(Path.Combine(half, LoraAdapter.TorchName));
        Assert.Contains("embed_tokens", Assert.Throws<InvalidDataException>(() => LoraAdapter.Open(half)).Message, StringComparison.Ordinal);

        string model = RandomModel(DType.Float32), merged = Path.Combine(_directory.Path, "merged");
        new TorchFileWriter().Add("base_model.model.layers.0.mlp.up_proj.lora_A.weight", new float[6], [3, 2]).Add("base_model.model.layers.0.mlp.up_proj.lora_B.weight", new float[6], [2, 3]).Save(Path.Combine(half, LoraAdapter.TorchName));
        using IBackend backend = Backends.Create("cpu", 1);
        Assert.Contains("do not belong together", Assert.Throws<InvalidDataException>(() => MergedCheckpoint.Write(backend, model, [LoraAdapter.Open(half)], RetrieverContract.Load(model), merged)).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(merged, Checkpoint.FileName)));
    }

    private static double Delta(LoraPair pair, int element)
    {
        double sum = 0;
        for (int r = 0; r < pair.Rank; r++)
        {
            sum += (double)pair.B[(element / pair.Inputs * pair.Rank) + r] * pair.A[(r * pair.Inputs) + (element % pair.Inputs)];
        }

        return sum * pair.Scale;
    }

    private static float[] Floats(Checkpoint checkpoint, string name)
    {
        (SafetensorsFile file, SafetensorsEntry entry) = checkpoint.Find(name);
        return WeightLoader.ReadFloats(file, entry);
    }

    private static float[] Values(string projection, string half, int count) => TestValues.Normal(count, (projection + half).Sum(c => c));

    private string RandomModel(DType dtype)
    {
        string directory = Path.Combine(_directory.Path, "base");
        RandomCheckpoint.Write(directory, Config, RetrieverContract.Lion(RepresentationKind.Sparse, Config), new LlamaInitialization { Seed = 3 }, dtype);
        return directory;
    }

    private string Adapter(string name, string prefix, string suffix, bool torch, float alpha = 6)
    {
        string directory = Path.Combine(_directory.Path, name);
        Directory.CreateDirectory(directory);
        File.WriteAllText(Path.Combine(directory, AdapterConfig.FileName), FormattableString.Invariant($$"""
            {"peft_type": "LORA", "base_model_name_or_path": "base", "r": {{Rank}}, "lora_alpha": {{alpha}}, "bias": "none", "use_dora": false, "modules_to_save": null, "target_modules": ["q_proj"]}
            """));
        var writer = new TorchFileWriter();
        var sources = new List<SafetensorsSource>();
        foreach (ParameterLayout layout in ParameterLayout.Of(Config, false).Where(l => l.Role is ParameterRole.Projection or ParameterRole.ResidualProjection))
        {
            string projection = layout.Name["model.".Length..^".weight".Length];
            foreach ((string half, long rows, long columns) in new[] { ("A", (long)Rank, (long)layout.Columns), ("B", layout.Rows, Rank) })
            {
                float[] values = Values(projection, half, (int)(rows * columns));
                string tensor = $"{prefix}{projection}.lora_{half}{suffix}";
                writer.Add(tensor, values, [rows, columns]);
                sources.Add(new SafetensorsSource(tensor, "F32", [rows, columns], stream => stream.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()))));
            }
        }

        if (torch)
        {
            writer.Save(Path.Combine(directory, LoraAdapter.TorchName));
        }
        else
        {
            SafetensorsWriter.Write(Path.Combine(directory, LoraAdapter.SafetensorsName), sources);
        }

        return directory;
    }
}
