namespace Tern.Model;

/// <summary>What a text is turned into.</summary>
public enum RepresentationKind
{
    /// <summary>One non-negative weight per vocabulary entry, most of them zero.</summary>
    Sparse,

    /// <summary>One vector of the hidden size.</summary>
    Dense,
}

/// <summary>
/// Everything outside the weights that a text's vector depends on; kept in <c>retriever.json</c> beside them, because a
/// model read under another contract returns plausible nonsense without an error.
/// </summary>
public sealed record RetrieverContract
{
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

    /// <summary>False: every token sees the whole sequence. True: only what is before it.</summary>
    public bool Causal { get; init; }

    /// <summary>Sparse only: factor on the logits, hiddenSize^-¼ in the paper's models.</summary>
    public float LogitScale { get; init; } = 1f;

    /// <summary>Sparse only: a learned addend per vocabulary entry, tensor <c>sparse_head.bias</c>.</summary>
    public bool HasTermBias { get; init; }

    /// <summary>Keep only the heaviest terms of a query; 0 keeps all.</summary>
    public int QueryTopTerms { get; init; }

    /// <summary>Keep only the heaviest terms of a document; 0 keeps all.</summary>
    public int DocumentTopTerms { get; init; }

    /// <summary>Hash of config and weights; an index stores it and refuses queries encoded by another model.</summary>
    public string Fingerprint { get; init; } = "";

    /// <summary>Texts with the vectors that these weights gave when saved; a self-test encodes them again.</summary>
    public IReadOnlyList<GoldenVector> Golden { get; init; } = [];
}

/// <summary>
/// One text, its token ids and its vector. Sparse: <see cref="Terms"/> ascending with their weights. Dense: Terms is
/// empty and <see cref="Values"/> is the whole vector.
/// </summary>
public sealed record GoldenVector(string Text, bool IsQuery, IReadOnlyList<int> TokenIds, IReadOnlyList<int> Terms, IReadOnlyList<float> Values);
