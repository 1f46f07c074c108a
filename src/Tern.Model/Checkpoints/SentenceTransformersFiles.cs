using System.Text.Json;

namespace Tern.Model.Checkpoints;

/// <summary>
/// The files by which sentence-transformers knows a model directory: <c>modules.json</c>, the pooling module's <c>config.json</c>,
/// <c>config_sentence_transformers.json</c> with the prompts and <c>sentence_bert_config.json</c> with the length. What they cannot
/// say is refused rather than left out: another library would compute other vectors without an error.
/// </summary>
public static class SentenceTransformersFiles
{
    public const string ModulesName = "modules.json";

    private const string PromptsName = "config_sentence_transformers.json";
    private const string LengthName = "sentence_bert_config.json";
    private const string SparsePooling = "1_SpladePooling";

    public static bool Exist(string directory) => File.Exists(Path.Combine(directory, ModulesName));

    /// <summary>The contract that the files describe.</summary>
    /// <exception cref="InvalidDataException">A file is damaged, or asks for pooling that is not supported; names file and key.</exception>
    public static RetrieverContract Read(string directory)
    {
        string modulesPath = Path.Combine(directory, ModulesName);
        using JsonDocument modules = Parse(modulesPath);
        if (modules.RootElement.ValueKind != JsonValueKind.Array)
        {
            throw new InvalidDataException($"{modulesPath}: not a list of modules");
        }

        RetrieverContract? contract = null;
        foreach (JsonElement element in modules.RootElement.EnumerateArray())
        {
            var module = new ConfigKeys(modulesPath, "module.", element);
            string type = module.Text("type", "");
            string name = type[(type.LastIndexOf('.') + 1)..];
            switch (name)
            {
                case "Transformer" or "MLMTransformer":
                    break;
                case "SpladePooling" when contract is null:
                    contract = Sparse(PoolingPath(module));
                    break;
                default:
                    throw module.Unsupported("type", name is "Pooling" or "Normalize"
                        ? "its mean or last token is not the mean of normalised tokens that dense models have here; the vectors would be others"
                        : "of its modules only the transformer and SpladePooling are supported");
            }
        }

        if (contract is null)
        {
            throw new InvalidDataException($"{modulesPath}: has no pooling module");
        }

        return WithLength(WithPrompts(contract, directory), directory);

        string PoolingPath(ConfigKeys module)
        {
            string path = module.Text("path", SparsePooling);
            return Path.GetFileName(path) == path ? Path.Combine(directory, path, LlamaConfig.FileName) : throw module.Unsupported("path", "it must be the name of a directory beside the file");
        }
    }

    /// <summary>Writes them into a model directory, each aside and then renamed.</summary>
    /// <exception cref="InvalidDataException">The contract has what these files cannot say; the message names it and what to do.</exception>
    public static void Write(string directory, RetrieverContract contract, LlamaConfig config)
    {
        string? obstacle = contract switch
        {
            { Kind: RepresentationKind.Dense } => "the mean of normalised tokens is none of its poolings",
            { LogitScale: not 1f } => FormattableString.Invariant($"logit_scale {contract.LogitScale} is not among its settings: fold it into the final norm first (tern model convert --fold-scale)"),
            { HasTermBias: true } => "it has no term bias",
            { AddEos: true } => "EOS is the tokenizer's there",
            _ => null,
        };
        if (obstacle is not null)
        {
            throw new InvalidDataException($"{directory}: sentence-transformers cannot be told how this model is read: {obstacle}");
        }

        Directory.CreateDirectory(Path.Combine(directory, SparsePooling));
        Json(Path.Combine(directory, ModulesName), json =>
        {
            json.WriteStartArray();
            Module(json, 0, "", "sentence_transformers.base.modules.transformer.Transformer");
            Module(json, 1, SparsePooling, "sentence_transformers.sparse_encoder.modules.splade_pooling.SpladePooling");
            json.WriteEndArray();
        });
        Json(Path.Combine(directory, SparsePooling, LlamaConfig.FileName), json =>
        {
            json.WriteStartObject();
            json.WriteString("pooling_strategy", "max");
            json.WriteString("activation_function", "relu");
            json.WriteNumber("embedding_dimension", config.VocabularySize);
            json.WriteEndObject();
        });
        Json(Path.Combine(directory, PromptsName), json =>
        {
            json.WriteStartObject();
            json.WriteString("model_type", "SparseEncoder");
            json.WriteStartObject("prompts");
            json.WriteString("query", contract.QueryPrefix);
            json.WriteString("document", contract.DocumentPrefix);
            json.WriteEndObject();
            json.WriteNull("default_prompt_name");
            json.WriteString("similarity_fn_name", "dot");
            json.WriteEndObject();
        });
        Json(Path.Combine(directory, LengthName), json =>
        {
            json.WriteStartObject();
            json.WriteNumber("max_seq_length", Math.Max(contract.MaxQueryTokens, contract.MaxDocumentTokens));
            json.WriteBoolean("do_lower_case", false);
            json.WriteEndObject();
        });
    }

    private static RetrieverContract Sparse(string path)
    {
        using JsonDocument pooling = Parse(path);
        var keys = new ConfigKeys(path, "", pooling.RootElement);
        keys.Expect("pooling_strategy", "max", "only the maximum over a text's tokens is supported");
        keys.Expect("activation_function", "relu", "only ln(1 + relu(x)) is supported");
        return new RetrieverContract { Kind = RepresentationKind.Sparse };
    }

    private static RetrieverContract WithPrompts(RetrieverContract contract, string directory)
    {
        string path = Path.Combine(directory, PromptsName);
        if (!File.Exists(path))
        {
            return contract;
        }

        using JsonDocument document = Parse(path);
        var keys = new ConfigKeys(path, "", document.RootElement);
        keys.Expect("similarity_fn_name", "dot", "only dot products are supported");
        return keys.Object("prompts") is { } prompts
            ? contract with { QueryPrefix = prompts.Text("query", ""), DocumentPrefix = prompts.Text("document", prompts.Text("passage", "")) }
            : contract;
    }

    private static RetrieverContract WithLength(RetrieverContract contract, string directory)
    {
        string path = Path.Combine(directory, LengthName);
        if (!File.Exists(path))
        {
            return contract;
        }

        using JsonDocument document = Parse(path);
        int length = new ConfigKeys(path, "", document.RootElement).Int("max_seq_length", contract.MaxDocumentTokens);
        return length > 0 ? contract with { MaxQueryTokens = length, MaxDocumentTokens = length } : throw new InvalidDataException($"{path}: max_seq_length {length} is not above 0");
    }

    private static JsonDocument Parse(string path)
    {
        if (!File.Exists(path))
        {
            throw new InvalidDataException($"{path}: missing, though {ModulesName} is there: the directory was not copied whole");
        }

        return JsonFile.Parse(path);
    }

    private static void Module(Utf8JsonWriter json, int index, string path, string type)
    {
        json.WriteStartObject();
        json.WriteNumber("idx", index);
        json.WriteString("name", $"{index}");
        json.WriteString("path", path);
        json.WriteString("type", type);
        json.WriteEndObject();
    }

    private static void Json(string path, Action<Utf8JsonWriter> write) => AtomicFile.Write(path, stream =>
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        write(json);
    });
}
