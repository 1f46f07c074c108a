using System.Text.Json;
using System.Text.Json.Nodes;
using Tern.Compute;
using Tern.Model.Checkpoints;
using Tern.TestKit;
using Xunit;

namespace Tern.Model.Tests.Checkpoints;

/// <summary>
/// The four published Lion models and LACONIC-1B as their files are laid out: every file's name and keys, every tensor's name, the
/// number of layers, what is tied and what is sharded; only the widths are scaled down and the values random.
/// </summary>
public sealed class PublishedLayoutsTests : IDisposable
{
    private const int Rank = 16;

    private static readonly int[] Tokens = [1, 5, 9, 2, 7];

    private readonly TemporaryDirectory _directory = new();
    private readonly IBackend _backend = Backends.Create("cpu", 2);

    public static TheoryData<string, string, RepresentationKind, bool> Lions()
    {
        TheoryData<string, string, RepresentationKind, bool> data = [];
        foreach ((string name, string shape, RepresentationKind kind) in new[]
        {
            ("Lion-SP-1B-llama3-marco-mntp", "llama-3.2-1b", RepresentationKind.Sparse),
            ("Lion-SP-8B-llama3-marco-mntp", "llama-3-8b", RepresentationKind.Sparse),
            ("Lion-DS-1B-llama3-marco-mntp", "llama-3.2-1b", RepresentationKind.Dense),
            ("Lion-DS-8B-llama3-marco-mntp", "llama-3-8b", RepresentationKind.Dense),
        })
        {
            data.Add(name, shape, kind, true);
            data.Add(name, shape, kind, false);
        }

        return data;
    }

    public void Dispose()
    {
        _backend.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [MemberData(nameof(Lions))]
    public void ALionLoadsTestsItselfMergesAndReadsBack(string name, string shape, RepresentationKind kind, bool torch)
    {
        LlamaConfig config = Narrow(LlamaShapes.All[shape]);
        string model = Path.Combine(_directory.Path, "base"), lion = Path.Combine(_directory.Path, name), merged = Path.Combine(_directory.Path, "merged"), back = Path.Combine(_directory.Path, "back");
        WriteBase(model, config, sharded: shape == "llama-3-8b");
        int tensorCount = WriteAdapter(lion, model, config, kind, torch);
        Assert.Equal(2 * 7 * LlamaShapes.All[shape].LayerCount, tensorCount); // 224 of the 1B, 448 of the 8B

        // As published there is no contract: what is missing is said, then given.
        Assert.Contains("retriever.json", Assert.Throws<InvalidDataException>(() => RetrieverNetwork.Load(_backend, lion)).Message, StringComparison.Ordinal);
        LoraAdapter adapter = LoraAdapter.Open(lion);
        Assert.Equal(kind == RepresentationKind.Dense ? AdapterLayout.Body : AdapterLayout.LanguageModel, adapter.Layout);
        Assert.Equal((Rank, 32f, 0.05f), (adapter.Config.Rank, adapter.Config.Alpha, adapter.Config.Dropout));
        BuiltInContracts.All[kind == RepresentationKind.Dense ? "lion-dense" : "lion-sparse"](config).Save(lion);

        float[] vector;
        using (RetrieverNetwork live = RetrieverNetwork.Load(_backend, lion))
        {
            vector = _backend.Download(live.Forward(Tokens, [0, Tokens.Length]));
            live.AddGolden("a text", isQuery: true, Tokens);
            live.Save(back);
        }

        using (RetrieverNetwork again = RetrieverNetwork.Load(_backend, back))
        {
            Assert.Equal(1, again.SelfTest().VectorCount);
            Assert.Equal(vector, _backend.Download(again.Forward(Tokens, [0, Tokens.Length])));
        }

        MergedCheckpoint.Write(_backend, model, [adapter], RetrieverContract.Load(lion), merged, DType.Float32);
        using RetrieverNetwork sum = RetrieverNetwork.Load(_backend, merged);
        Compare.Close(vector, _backend.Download(sum.Forward(Tokens, [0, Tokens.Length])), 2e-4, $"{name} merged beside live");

        // The other format of the same adapter says the same.
        string other = Path.Combine(_directory.Path, "other");
        LoraAdapterFile.Write(adapter, adapter.Layout, other, asTorch: !torch);
        LoraAdapter converted = LoraAdapter.Open(other);
        Assert.Equal(File.Exists(Path.Combine(other, LoraAdapter.TorchName)), !torch);
        foreach ((string weight, LoraPair pair) in adapter.Pairs)
        {
            Assert.Equal(pair.A, converted.Pairs[weight].A);
            Assert.Equal(pair.B, converted.Pairs[weight].B);
        }
    }

    [Fact]
    public void LaconicIsAWholeTiedModelInHalves()
    {
        LlamaConfig config = Narrow(LlamaShapes.All["llama-3.2-1b"]);
        string laconic = Path.Combine(_directory.Path, "laconic-1b"), converted = Path.Combine(_directory.Path, "converted");
        WriteBase(laconic, config, sharded: false);
        RetrieverContract contract = BuiltInContracts.All["laconic"](config);
        Assert.Equal((false, "query: ", "passage: ", 1f), (contract.AddBos, contract.QueryPrefix, contract.DocumentPrefix, contract.LogitScale));
        contract.Save(laconic);

        float[] vector;
        using (RetrieverNetwork network = RetrieverNetwork.Load(_backend, laconic))
        {
            Assert.Equal(DType.BFloat16, network.Weights.Layers[15].Down.Value.DType);
            vector = _backend.Download(network.Forward(Tokens, [0, Tokens.Length]));
        }

        MergedCheckpoint.Write(_backend, laconic, [], contract, converted, DType.Float32);
        SentenceTransformersFiles.Write(converted, contract, config);
        using RetrieverNetwork wide = RetrieverNetwork.Load(_backend, converted);
        Assert.Equal(vector, _backend.Download(wide.Forward(Tokens, [0, Tokens.Length])));
        RetrieverContract read = SentenceTransformersFiles.Read(converted);
        Assert.Equal((contract.QueryPrefix, contract.DocumentPrefix, contract.Kind), (read.QueryPrefix, read.DocumentPrefix, read.Kind));
    }

    /// <summary>Folded into the final norm the scale gives the same vectors to readers that know none.</summary>
    [Fact]
    public void AFoldedScaleGivesTheSameVectors()
    {
        LlamaConfig config = Narrow(LlamaShapes.All["llama-3.2-1b"]) with { LayerCount = 2 };
        string model = Path.Combine(_directory.Path, "base"), folded = Path.Combine(_directory.Path, "folded");
        WriteBase(model, config, sharded: false);
        RetrieverContract contract = RetrieverContract.Lion(RepresentationKind.Sparse, config);
        contract.Save(model);
        Assert.Contains("fold", Assert.Throws<InvalidDataException>(() => SentenceTransformersFiles.Write(model, contract, config)).Message, StringComparison.Ordinal);
        MergedCheckpoint.Write(_backend, model, [], contract, folded, foldScale: true);
        using RetrieverNetwork before = RetrieverNetwork.Load(_backend, model), after = RetrieverNetwork.Load(_backend, folded);
        Assert.Equal(1f, after.Contract.LogitScale);
        Compare.Close(_backend.Download(before.Forward(Tokens, [0, Tokens.Length])), _backend.Download(after.Forward(Tokens, [0, Tokens.Length])), 1e-5, "folded");
    }

    [Fact]
    public void TheThreeSizesHaveTheirScalesAndRotations()
    {
        Assert.Equal(0.14865089f, RetrieverContract.Lion(RepresentationKind.Sparse, LlamaShapes.All["llama-3.2-1b"]).LogitScale, 1e-7f);
        Assert.Equal(0.13432124f, RetrieverContract.Lion(RepresentationKind.Sparse, LlamaShapes.All["llama-3.2-3b"]).LogitScale, 1e-7f);
        Assert.Equal(0.125f, RetrieverContract.Lion(RepresentationKind.Sparse, LlamaShapes.All["llama-3-8b"]).LogitScale, 1e-7f);
        Assert.Equal(new RopeScaling(32f, 1f, 4f, 8192), LlamaShapes.All["llama-3.2-1b"].RopeScaling);
        Assert.Null(LlamaShapes.All["llama-3-8b"].RopeScaling);
        Assert.False(LlamaShapes.All["llama-3-8b"].TieWordEmbeddings);
    }

    /// <summary>Everything but the widths, which are what a matrix of a test may have.</summary>
    private static LlamaConfig Narrow(LlamaConfig config) => config with { HiddenSize = 16, IntermediateSize = 24, HeadCount = 4, KeyValueHeadCount = 2, HeadSize = 4, VocabularySize = 64, BosTokenId = 60, EosTokenId = 61 };

    /// <summary>The gated base as it is downloaded: config.json and one file, or shards with their index.</summary>
    private static void WriteBase(string directory, LlamaConfig config, bool sharded)
    {
        RandomCheckpoint.Write(directory, config, RetrieverContract.Lion(RepresentationKind.Sparse, config), new LlamaInitialization { EmbeddingStandardDeviation = 0.5f, ProjectionStandardDeviation = 0.1f }, DType.BFloat16, threads: 1);
        File.Delete(Path.Combine(directory, RetrieverContract.FileName));
        if (!sharded)
        {
            return;
        }

        string single = Path.Combine(directory, Checkpoint.FileName);
        var map = new JsonObject();
        using (SafetensorsFile file = SafetensorsFile.Open(single))
        {
            const int Shards = 4; // as Meta-Llama-3-8B has
            SafetensorsEntry[] entries = [.. file.Entries.Values];
            for (int s = 0; s < Shards; s++)
            {
                string name = $"model-{s + 1:00000}-of-{Shards:00000}.safetensors";
                SafetensorsEntry[] part = [.. entries.Where((_, i) => i * Shards / entries.Length == s)];
                SafetensorsWriter.Write(Path.Combine(directory, name), [.. part.Select(e => new SafetensorsSource(e.Name, e.DType, e.Shape, stream => stream.Write(Bytes(file, e))))]);
                foreach (SafetensorsEntry entry in part)
                {
                    map[entry.Name] = name;
                }
            }
        }

        File.Delete(single);
        File.WriteAllText(Path.Combine(directory, Checkpoint.IndexFileName), new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = 1 }, ["weight_map"] = map }.ToJsonString());

        static unsafe ReadOnlySpan<byte> Bytes(SafetensorsFile file, SafetensorsEntry entry) => new((void*)file.Address(entry), (int)entry.ByteCount);
    }

    /// <summary>adapter_config.json with all keys of PEFT 0.14, adapter_model.bin or .safetensors, config.json. Returns the number of tensors.</summary>
    private static int WriteAdapter(string directory, string model, LlamaConfig config, RepresentationKind kind, bool torch)
    {
        Directory.CreateDirectory(directory);
        string baseClass = kind == RepresentationKind.Dense ? "LlamaBiModel" : "LlamaBiForMNTP";
        File.WriteAllText(Path.Combine(directory, AdapterConfig.FileName), $$"""
            {
              "alpha_pattern": {},
              "auto_mapping": { "base_model_class": "{{baseClass}}", "parent_library": "scaling_retriever.modeling.bidirectional_llama" },
              "base_model_name_or_path": {{JsonSerializer.Serialize(model)}},
              "bias": "none", "eva_config": null, "exclude_modules": null, "fan_in_fan_out": false, "inference_mode": true,
              "init_lora_weights": true, "layer_replication": null, "layers_pattern": null, "layers_to_transform": null, "loftq_config": {},
              "lora_alpha": 32, "lora_bias": false, "lora_dropout": 0.05, "megatron_config": null, "megatron_core": "megatron.core",
              "modules_to_save": null, "peft_type": "LORA", "r": {{Rank}}, "rank_pattern": {}, "revision": null,
              "target_modules": ["down_proj", "q_proj", "up_proj", "k_proj", "gate_proj", "o_proj", "v_proj"],
              "task_type": null, "use_dora": false, "use_rslora": false
            }
            """);
        config.Save(directory);
        string prefix = kind == RepresentationKind.Dense ? "base_model.model." : "base_model.model.model.";
        var writer = new TorchFileWriter();
        List<SafetensorsSource> sources = [];
        int seed = 1;
        foreach (ParameterLayout layout in ParameterLayout.Of(config, false).Where(l => l.Role is ParameterRole.Projection or ParameterRole.ResidualProjection))
        {
            string projection = layout.Name["model.".Length..^".weight".Length];
            foreach ((char half, int rows, int columns) in new[] { ('A', Rank, layout.Columns), ('B', layout.Rows, Rank) })
            {
                float[] values = TestValues.Normal(rows * columns, seed++, 0.05);
                string tensor = $"{prefix}{projection}.lora_{half}.weight";
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

        return sources.Count;
    }
}
