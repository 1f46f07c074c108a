using System.Text.RegularExpressions;

namespace Tern.Model.Checkpoints;

/// <summary>One projection's low-rank addend: weight += Scale · B · A.</summary>
/// <param name="A">[Rank, Inputs]</param>
/// <param name="B">[Outputs, Rank]</param>
public sealed record LoraPair(float[] A, float[] B, int Rank, int Inputs, int Outputs, float Scale);

/// <summary>
/// A LoRA adapter in PEFT's layout: <c>adapter_config.json</c> beside <c>adapter_model.safetensors</c> or, read without
/// executing anything, <c>adapter_model.bin</c>. Names with and without the inner <c>model.</c> (MNTP's and sparse adapters have
/// it, those of models without an output projection lack it) mean the same projections.
/// </summary>
public sealed partial class LoraAdapter
{
    public const string SafetensorsName = "adapter_model.safetensors";
    public const string TorchName = "adapter_model.bin";

    private const int MaxDimension = 1 << 20;

    private LoraAdapter(string directory, AdapterConfig config, AdapterLayout layout, IReadOnlyDictionary<string, LoraPair> pairs)
    {
        Layout = layout;
        Directory = directory;
        Config = config;
        Pairs = pairs;
    }

    public string Directory { get; }

    public AdapterConfig Config { get; }

    /// <summary>How its tensors are named.</summary>
    public AdapterLayout Layout { get; }

    /// <summary>By the name of the weight that each belongs to, such as <c>model.layers.0.self_attn.q_proj.weight</c>.</summary>
    public IReadOnlyDictionary<string, LoraPair> Pairs { get; }

    public static bool IsAdapter(string directory) => File.Exists(Path.Combine(directory, AdapterConfig.FileName));

    /// <exception cref="InvalidDataException">A file is damaged, has a tensor that belongs to no projection, lacks one of a pair, or its shapes contradict the config.</exception>
    /// <exception cref="FileNotFoundException">There are no weights.</exception>
    public static LoraAdapter Open(string directory)
    {
        AdapterConfig config = AdapterConfig.Load(directory);
        string safetensors = Path.Combine(directory, SafetensorsName), torch = Path.Combine(directory, TorchName);
        if (File.Exists(safetensors))
        {
            using SafetensorsFile file = SafetensorsFile.Open(safetensors);
            return new LoraAdapter(directory, config, LayoutOf(file.Entries.Keys), Pair(safetensors, config, file.Entries.Values.Select(e => (e.Name, e.Shape, (Func<float[]>)(() => WeightLoader.ReadFloats(file, e))))));
        }

        if (File.Exists(torch))
        {
            using TorchArchive archive = TorchArchive.Open(torch);
            return new LoraAdapter(directory, config, LayoutOf(archive.Names), Pair(torch, config, archive.Names.Select(n => (n, archive.Describe(n).Shape, (Func<float[]>)(() => archive.Read(n))))));
        }

        throw new FileNotFoundException($"{directory}: neither {SafetensorsName} nor {TorchName} is there", safetensors);
    }

    private static AdapterLayout LayoutOf(IEnumerable<string> names) =>
        names.Any(n => n.StartsWith("base_model.model.model.", StringComparison.Ordinal)) ? AdapterLayout.LanguageModel : AdapterLayout.Body;

    private static SortedDictionary<string, LoraPair> Pair(string path, AdapterConfig config, IEnumerable<(string Name, IReadOnlyList<long> Shape, Func<float[]> Read)> tensors)
    {
        var halves = new Dictionary<(string Projection, string Half), (string Name, IReadOnlyList<long> Shape, Func<float[]> Read)>();
        foreach ((string Name, IReadOnlyList<long> Shape, Func<float[]> Read) tensor in tensors)
        {
            Match match = TensorName().Match(tensor.Name);
            if (!match.Success)
            {
                throw new InvalidDataException($"{path}: tensor '{tensor.Name}' is not the lora_A or lora_B of a Llama projection; adapters of embeddings, norms or other models are not supported");
            }

            if (tensor.Shape.Count != 2 || tensor.Shape.Any(d => d is < 1 or > MaxDimension) || tensor.Shape[0] * tensor.Shape[1] > int.MaxValue / sizeof(float))
            {
                throw new InvalidDataException($"{path}: tensor '{tensor.Name}' has the shape [{string.Join(", ", tensor.Shape)}]; a matrix of a sensible size is expected");
            }

            if (!halves.TryAdd(("model." + match.Groups["projection"].Value, match.Groups["half"].Value), tensor))
            {
                throw new InvalidDataException($"{path}: tensor '{tensor.Name}' is there twice under different prefixes");
            }
        }

        if (halves.Count == 0)
        {
            throw new InvalidDataException($"{path}: holds no tensors");
        }

        var pairs = new SortedDictionary<string, LoraPair>(StringComparer.Ordinal);
        foreach ((string projection, string half) in halves.Keys)
        {
            if (!halves.TryGetValue((projection, half == "A" ? "B" : "A"), out (string Name, IReadOnlyList<long> Shape, Func<float[]> Read) other))
            {
                throw new InvalidDataException($"{path}: {projection} has lora_{half} without lora_{(half == "A" ? "B" : "A")}; the file was not saved whole");
            }

            if (half == "A")
            {
                (string Name, IReadOnlyList<long> Shape, Func<float[]> Read) a = halves[(projection, "A")];
                int rank = (int)a.Shape[0];
                if (rank != other.Shape[1] || rank != config.RankOf(projection))
                {
                    throw new InvalidDataException($"{path}: {projection}: lora_A is [{string.Join(", ", a.Shape)}] and lora_B [{string.Join(", ", other.Shape)}], but {AdapterConfig.FileName} says rank {config.RankOf(projection)}");
                }

                pairs.Add(projection + ".weight", new LoraPair(a.Read(), other.Read(), rank, (int)a.Shape[1], (int)other.Shape[0], config.Scale(projection, rank)));
            }
        }

        return pairs;
    }

    [GeneratedRegex(@"^base_model\.model\.(model\.)?(?<projection>layers\.[0-9]{1,4}\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj))\.lora_(?<half>[AB])(\.default)?\.weight$", RegexOptions.ExplicitCapture)]
    private static partial Regex TensorName();
}
