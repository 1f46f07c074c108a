using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Tern.Compute;
using Tern.Model.Checkpoints;

namespace Tern.Model;

/// <summary>What a text is turned into.</summary>
public enum RepresentationKind
{
    /// <summary>One non-negative weight per vocabulary entry, most of them zero.</summary>
    [JsonStringEnumMemberName("sparse")]
    Sparse,

    /// <summary>One vector of the hidden size.</summary>
    [JsonStringEnumMemberName("dense")]
    Dense,
}

/// <summary>
/// Everything outside the weights that a text's vector depends on; kept in <c>retriever.json</c> beside them, because a
/// model read under another contract returns plausible nonsense without an error.
/// </summary>
public sealed record RetrieverContract
{
    public const string FileName = "retriever.json";

    public required RepresentationKind Kind { get; init; }

    public bool AddBos { get; init; } = true;

    public bool AddEos { get; init; }

    public string QueryPrefix { get; init; } = "";

    public string DocumentPrefix { get; init; } = "";

    /// <summary>Longest query in tokens, specials included; the rest is cut off on the right.</summary>
    public int MaxQueryTokens { get; init; } = 64;

    /// <summary>Longest document in tokens, specials included; the rest is cut off on the right.</summary>
    public int MaxDocumentTokens { get; init; } = 192;

    /// <summary>How a document's fields become one text: <c>{title}</c> and <c>{text}</c> are replaced, then the ends trimmed.</summary>
    public string DocumentTemplate { get; init; } = "{title} {text}";

    /// <summary>
    /// A reranker's: how query and document become the one text that it reads, with <c>{query}</c>, <c>{title}</c> and <c>{text}</c>
    /// replaced. Empty for a model that encodes them apart.
    /// </summary>
    public string PairTemplate { get; init; } = "";

    /// <summary>False: every token sees the whole sequence. True: only what is before it.</summary>
    public bool Causal { get; init; }

    /// <summary>Sparse only: factor on the logits, hiddenSize^-¼ in the paper's models.</summary>
    public float LogitScale { get; init; } = 1f;

    /// <summary>Sparse only: a learned addend per vocabulary entry, tensor <c>sparse_head.bias</c>.</summary>
    public bool HasTermBias { get; init; }

    /// <summary>Dense only: what is made of the tokens' hidden states.</summary>
    public DensePooling Pooling { get; init; }

    /// <summary>Dense only: vectors are scaled to length 1, so that their dot product is their cosine. Not with the mean of normalised tokens.</summary>
    public bool NormalizeVectors { get; init; }

    /// <summary>Keep only the heaviest terms of a query; 0 keeps all.</summary>
    public int QueryTopTerms { get; init; }

    /// <summary>Keep only the heaviest terms of a document; 0 keeps all.</summary>
    public int DocumentTopTerms { get; init; }

    /// <summary>
    /// The coarsest products that the model may be encoded with unasked, where the machine has them: <c>f32</c>, <c>bf16</c> or
    /// <c>int8</c>. A model trained in bfloat16 says bf16. Vectors then differ a little between machines.
    /// </summary>
    public string Precision { get; init; } = "f32";

    /// <summary>Hash of config and weights; an index stores it and refuses queries encoded by another model.</summary>
    public string Fingerprint { get; init; } = "";

    /// <summary>Texts with the vectors that these weights gave when saved; a self-test encodes them again.</summary>
    public IReadOnlyList<GoldenVector> Golden { get; init; } = [];

    /// <summary>
    /// The contract of the paper's models: BOS and no prefix, the whole sequence seen both ways, 64 and 192 tokens, logits
    /// scaled by hiddenSize^-¼ (sparse) or the mean of normalised tokens (dense).
    /// </summary>
    public static RetrieverContract Lion(RepresentationKind kind, LlamaConfig config) => new()
    {
        Kind = kind,
        LogitScale = kind == RepresentationKind.Sparse ? (float)Math.Pow(config.HiddenSize, -0.25) : 1f,
    };

    /// <summary>
    /// The contract of LACONIC (arXiv 2601.01684, and its page in Tevatron): no BOS, "query: " and "passage: " before the text, the
    /// whole sequence seen both ways, logits as they are.
    /// </summary>
    public static RetrieverContract Laconic() => new()
    {
        Kind = RepresentationKind.Sparse,
        AddBos = false,
        QueryPrefix = "query: ",
        DocumentPrefix = "passage: ",
    };

    /// <summary>Reads the <c>retriever.json</c> of a model directory.</summary>
    /// <exception cref="InvalidDataException">It is missing (the message says how to make one), damaged, or has keys unknown to this version.</exception>
    public static RetrieverContract Load(string directory)
    {
        string path = Path.Combine(directory, FileName);
        if (!File.Exists(path))
        {
            throw new InvalidDataException($"{path}: missing: it says how texts become tokens and vectors, which the weights do not. For a model of the paper (BOS, no prefix) write {{\"kind\": \"sparse\", \"logit_scale\": S}} with S = hidden_size^-0.25 (1B: 0.14865089), or {{\"kind\": \"dense\"}}; for another, its own BOS, prefixes and scale; tern model convert --contract does that for the published families");
        }

        try
        {
            // Deserialising would set the keys that the file lacks to zero: it is laid over the defaults instead.
            JsonObject keys = JsonSerializer.SerializeToNode(new RetrieverContract { Kind = RepresentationKind.Sparse }, ContractJsonContext.Default.RetrieverContract)!.AsObject();
            keys.Remove("kind");
            using (JsonDocument file = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { AllowDuplicateProperties = false }))
            {
                foreach (JsonProperty property in file.RootElement.EnumerateObject())
                {
                    keys[property.Name] = JsonNode.Parse(property.Value.GetRawText());
                }
            }

            RetrieverContract contract = keys.Deserialize(ContractJsonContext.Default.RetrieverContract)!;
            contract.Validate(path);
            return contract;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{path}: {e.Message} A key that is unknown may come from a later version of Tern: use that version, or remove the key if the vectors do not depend on it.", e);
        }
    }

    /// <summary>Writes <c>retriever.json</c>; aside, then renamed.</summary>
    public void Save(string directory)
    {
        Validate(nameof(RetrieverContract));
        Directory.CreateDirectory(directory);
        AtomicFile.Write(Path.Combine(directory, FileName), stream => JsonSerializer.Serialize(stream, this, ContractJsonContext.Default.RetrieverContract));
    }

    private void Validate(string source)
    {
        if (!Enum.IsDefined(Kind))
        {
            throw new InvalidDataException($"{source}: kind {Kind} is neither sparse nor dense");
        }

        if (!(LogitScale > 0) || !float.IsFinite(LogitScale))
        {
            throw new InvalidDataException(FormattableString.Invariant($"{source}: logit_scale {LogitScale} is not a number above 0"));
        }

        if (!Enum.IsDefined(Pooling) || (Kind == RepresentationKind.Sparse && (Pooling != default || NormalizeVectors)) || (Pooling == DensePooling.NormalizedMean && NormalizeVectors))
        {
            throw new InvalidDataException($"{source}: pooling {Pooling} with normalize_vectors {NormalizeVectors} is none: a sparse model has neither, and the mean of normalised tokens stays as it is");
        }

        if (!ProductPrecisions.TryParse(Precision, out _))
        {
            throw new InvalidDataException($"{source}: precision '{Precision}' is none of f32, bf16 and int8");
        }

        if (MaxQueryTokens < 1 || MaxDocumentTokens < 1 || QueryTopTerms < 0 || DocumentTopTerms < 0)
        {
            throw new InvalidDataException($"{source}: max_query_tokens {MaxQueryTokens} and max_document_tokens {MaxDocumentTokens} must be above 0, query_top_terms {QueryTopTerms} and document_top_terms {DocumentTopTerms} at least 0");
        }
    }
}

/// <summary>
/// One text, its token ids and its vector. Sparse: <see cref="Terms"/> ascending with their weights. Dense: Terms is
/// empty and <see cref="Values"/> is the whole vector.
/// </summary>
public sealed record GoldenVector(string Text, bool IsQuery, IReadOnlyList<int> TokenIds, IReadOnlyList<int> Terms, IReadOnlyList<float> Values);

[JsonSourceGenerationOptions(
    WriteIndented = true,
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(RetrieverContract))]
internal sealed partial class ContractJsonContext : JsonSerializerContext;
