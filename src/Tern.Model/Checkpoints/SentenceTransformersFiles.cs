using System.Text.Json;

namespace Tern.Model.Checkpoints;

/// <summary>
/// The files by which sentence-transformers knows a model directory: <c>modules.json</c>, the pooling module's <c>config.json</c>,
/// <c>config_sentence_transformers.json</c> with the prompts and <c>sentence_bert_config.json</c> with the length. Poolings: SPLADE's maximum;
/// dense the mean, the mean by √n, the weighted mean, the first or the last token, each with or without normalisation. What the files
/// cannot say is refused rather than left out: another library would compute other vectors without an error.
/// </summary>
public static class SentenceTransformersFiles
{
    public const string ModulesName = "modules.json";

    private const string PromptsName = "config_sentence_transformers.json";
    private const string LengthName = "sentence_bert_config.json";
    private const string SparsePooling = "1_SpladePooling";
    private const string DensePoolingPath = "1_Pooling";
    private const string NormalizePath = "2_Normalize";

    /// <summary>The switches of older files, of which one is on, and the word of newer ones.</summary>
    private static readonly (DensePooling Pooling, string Switch, string Word)[] DensePoolings =
    [
        (DensePooling.FirstToken, "pooling_mode_cls_token", "cls"),
        (DensePooling.Mean, "pooling_mode_mean_tokens", "mean"),
        (DensePooling.MeanSqrtLength, "pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        (DensePooling.WeightedMean, "pooling_mode_weightedmean_tokens", "weightedmean"),
        (DensePooling.LastToken, "pooling_mode_lasttoken", "lasttoken"),
    ];

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
                case "Pooling" when contract is null:
                    contract = Dense(PoolingPath(module), directory);
                    break;
                case "Normalize" when contract is { Kind: RepresentationKind.Dense }:
                    contract = contract with { NormalizeVectors = true };
                    break;
                default:
                    throw module.Unsupported("type", "of its modules only the transformer, SpladePooling, Pooling and, after it, Normalize are supported");
            }
        }

        if (contract is null)
        {
            throw new InvalidDataException($"{modulesPath}: has no pooling module");
        }

        return WithLength(WithPrompts(WithSpecials(contract, directory), directory), directory);

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
            { Kind: RepresentationKind.Dense, Pooling: DensePooling.NormalizedMean } => "the mean of normalised tokens is none of its poolings",
            { Kind: RepresentationKind.Dense, Causal: false } => "it reads a Llama from left to right, this model sees both ways",
            { LogitScale: not 1f } => FormattableString.Invariant($"logit_scale {contract.LogitScale} is not among its settings: fold it into the final norm first (tern model convert --fold-scale)"),
            { HasTermBias: true } => "it has no term bias",
            { AddEos: true } => "EOS is the tokenizer's there",
            { DocumentTopTerms: > 0 } or { QueryTopTerms: > 0 } => "it has no limit of terms in these files",
            _ => null,
        };
        if (obstacle is not null)
        {
            throw new InvalidDataException($"{directory}: sentence-transformers cannot be told how this model is read: {obstacle}");
        }

        bool sparse = contract.Kind == RepresentationKind.Sparse;
        string pooling = sparse ? SparsePooling : DensePoolingPath;
        Directory.CreateDirectory(Path.Combine(directory, pooling));
        Json(Path.Combine(directory, ModulesName), json =>
        {
            json.WriteStartArray();
            Module(json, 0, "", "sentence_transformers.base.modules.transformer.Transformer");
            Module(json, 1, pooling, sparse ? "sentence_transformers.sparse_encoder.modules.splade_pooling.SpladePooling" : "sentence_transformers.sentence_transformer.modules.pooling.Pooling");
            if (contract.NormalizeVectors)
            {
                Module(json, 2, NormalizePath, "sentence_transformers.sentence_transformer.modules.normalize.Normalize");
            }

            json.WriteEndArray();
        });
        Json(Path.Combine(directory, pooling, LlamaConfig.FileName), json =>
        {
            json.WriteStartObject();
            if (sparse)
            {
                json.WriteString("pooling_strategy", "max");
                json.WriteString("activation_function", "relu");
                json.WriteNumber("embedding_dimension", config.VocabularySize);
            }
            else
            {
                // The switches: older versions know nothing else, newer ones read them too.
                json.WriteNumber("word_embedding_dimension", config.HiddenSize);
                json.WriteBoolean("pooling_mode_max_tokens", false);
                foreach ((DensePooling which, string name, _) in DensePoolings)
                {
                    json.WriteBoolean(name, which == contract.Pooling);
                }

                json.WriteBoolean("include_prompt", true);
            }

            json.WriteEndObject();
        });
        if (contract.NormalizeVectors)
        {
            Directory.CreateDirectory(Path.Combine(directory, NormalizePath));
        }

        Json(Path.Combine(directory, PromptsName), json =>
        {
            json.WriteStartObject();
            json.WriteString("model_type", sparse ? "SparseEncoder" : "SentenceTransformer");
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

    private static RetrieverContract Dense(string path, string directory)
    {
        using JsonDocument pooling = Parse(path);
        var keys = new ConfigKeys(path, "", pooling.RootElement);
        if (!keys.Bool("include_prompt", true))
        {
            throw keys.Unsupported("include_prompt", "a pooling that leaves the prompt's tokens out is not supported");
        }

        const string Known = "supported are, one at a time, the mean, the mean by the root of the length, the weighted mean, the first and the last token";
        DensePooling[] asked;
        if (keys.Has("pooling_mode"))
        {
            asked = [.. DensePoolings.Where(p => p.Word == keys.Text("pooling_mode", "")).Select(p => p.Pooling)];
        }
        else
        {
            asked = [.. DensePoolings.Where(p => keys.Bool(p.Switch, false)).Select(p => p.Pooling)];
            if (keys.Bool("pooling_mode_max_tokens", false))
            {
                throw keys.Unsupported("pooling_mode_max_tokens", Known);
            }
        }

        if (asked is not [DensePooling only])
        {
            throw keys.Has("pooling_mode") ? keys.Unsupported("pooling_mode", Known) : new InvalidDataException($"{path}: {asked.Length} of the pooling_mode_ switches are true: {Known}");
        }

        // Its transformer reads a Llama from left to right, unless the config says otherwise.
        string configPath = Path.Combine(directory, LlamaConfig.FileName);
        using JsonDocument config = Parse(configPath);
        return new RetrieverContract { Kind = RepresentationKind.Dense, Pooling = only, Causal = new ConfigKeys(configPath, "", config.RootElement).Bool("is_causal", true) };
    }

    /// <summary>BOS and EOS are what the tokenizer's template puts around a text.</summary>
    private static RetrieverContract WithSpecials(RetrieverContract contract, string directory)
    {
        string path = Path.Combine(directory, "tokenizer.json");
        if (!File.Exists(path))
        {
            return contract;
        }

        using JsonDocument document = Parse(path);
        if (!document.RootElement.TryGetProperty("post_processor", out JsonElement processor) || processor.ValueKind != JsonValueKind.Object)
        {
            return contract with { AddBos = false, AddEos = false };
        }

        JsonElement[] all = processor.TryGetProperty("processors", out JsonElement several) && several.ValueKind == JsonValueKind.Array ? [.. several.EnumerateArray()] : [processor];
        JsonElement[] template = [.. all.Where(p => p.ValueKind == JsonValueKind.Object && p.TryGetProperty("single", out JsonElement single) && single.ValueKind == JsonValueKind.Array).SelectMany(p => p.GetProperty("single").EnumerateArray())];
        int text = Array.FindIndex(template, piece => piece.ValueKind == JsonValueKind.Object && piece.TryGetProperty("Sequence", out _));
        return contract with { AddBos = text > 0, AddEos = text >= 0 && text < template.Length - 1 };
    }

    private static RetrieverContract WithPrompts(RetrieverContract contract, string directory)
    {
        string path = Path.Combine(directory, PromptsName);
        if (!File.Exists(path))
        {
            return contract.Kind == RepresentationKind.Dense ? contract with { NormalizeVectors = true } : contract; // Its default is the cosine.
        }

        using JsonDocument document = Parse(path);
        var keys = new ConfigKeys(path, "", document.RootElement);
        if (contract.Kind == RepresentationKind.Dense && keys.Text("similarity_fn_name", "cosine") == "cosine")
        {
            contract = contract with { NormalizeVectors = true }; // A cosine is the dot product of vectors of length 1.
        }
        else
        {
            keys.Expect("similarity_fn_name", "dot", contract.Kind == RepresentationKind.Dense ? "only cosines and dot products are supported" : "only dot products are supported");
        }

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
