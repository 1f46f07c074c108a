namespace Tern.Retrieval;

/// <summary>What the vectors of an index are.</summary>
public enum VectorKind
{
    Sparse,
    Dense,
}

/// <summary>What all segments of an index have in common.</summary>
public sealed record IndexSettings
{
    public required VectorKind Kind { get; init; }

    /// <summary>Sparse: term ids are below this; dense: elements of a vector.</summary>
    public required int Dimension { get; init; }

    /// <summary>Sparse only.</summary>
    public ImpactPrecision Precision { get; init; } = ImpactPrecision.Byte;

    /// <summary>Sparse only.</summary>
    public PostingLayout Layout { get; init; } = PostingLayout.Packed;

    /// <summary>Dense only: the narrow copy that segments on disk have.</summary>
    public DenseScan Scan { get; init; } = DenseScan.Float32;

    /// <summary>Of the model that makes the vectors.</summary>
    public string Fingerprint { get; init; } = "";

    /// <summary>Whether documents' payloads are stored.</summary>
    public bool HasPayload { get; init; }

    /// <summary>What documents can be filtered by.</summary>
    public IReadOnlyList<FieldDefinition> Fields { get; init; } = [];

    /// <summary>As <see cref="SparseIndexOptions.LargestWeight"/>; for an index whose scale is not fixed by its documents yet.</summary>
    public float LargestWeight { get; init; }

    /// <summary>As <see cref="SparseIndexOptions.MemoryByteCount"/>, of one build; no index keeps it.</summary>
    public long MemoryByteCount { get; init; }

    /// <summary>What one unit of an 8-bit impact is worth in every segment; 0 while no document has fixed it.</summary>
    internal float ImpactScale { get; init; }

    /// <summary>Throws <see cref="ArgumentException"/> for a document that such an index cannot take.</summary>
    internal void Check(IndexDocument document)
    {
        if (string.IsNullOrEmpty(document.Id))
        {
            throw new ArgumentException("a document has an empty id");
        }

        if (Kind == VectorKind.Sparse)
        {
            SparseVector vector = document.Sparse ?? throw new ArgumentException($"document '{document.Id}' has no sparse vector; the index holds sparse ones");
            if (vector.Count > 0 && vector.TermSpan[^1] >= Dimension)
            {
                throw new ArgumentException($"document '{document.Id}' has term {vector.TermSpan[^1]}; the index was set up for {Dimension} terms");
            }
        }
        else if (document.Sparse is not null || document.Dense.Length != Dimension)
        {
            throw new ArgumentException($"document '{document.Id}' has {(document.Sparse is not null ? "a sparse vector" : $"{document.Dense.Length} elements")}; the index holds dense vectors of {Dimension}");
        }

        foreach (float value in document.Dense.Span)
        {
            if (!float.IsFinite(value))
            {
                throw new ArgumentException($"the vector of document '{document.Id}' holds {value}");
            }
        }

        if (document.Payload.Length > 0 && !HasPayload)
        {
            throw new ArgumentException($"document '{document.Id}' brings a payload; the index stores none");
        }

        foreach ((string name, FieldValue value) in document.Fields)
        {
            int at = FieldColumnsWriter.Find(Fields, name);
            if (at < 0 || Fields[at].Kind != value.Kind)
            {
                throw new ArgumentException($"document '{document.Id}' has a field '{new FieldDefinition(name, value.Kind)}'; the index has {FieldColumnsWriter.Describe(Fields)}");
            }
        }
    }

    /// <summary>Why segments of the other cannot be searched or merged with these, or null.</summary>
    internal string? Differs(IndexSettings other)
    {
        if (Kind != other.Kind || Dimension != other.Dimension)
        {
            return $"{other.Kind.ToString().ToLowerInvariant()} vectors of {other.Dimension} are not {Kind.ToString().ToLowerInvariant()} ones of {Dimension}";
        }

        if (Fingerprint != other.Fingerprint)
        {
            return $"its vectors were made by another model (fingerprint '{other.Fingerprint}', not '{Fingerprint}')";
        }

        if (Precision != other.Precision)
        {
            return $"its weights are kept as {other.Precision.ToString().ToLowerInvariant()}, not {Precision.ToString().ToLowerInvariant()}";
        }

        if (!Fields.SequenceEqual(other.Fields))
        {
            return $"it has {FieldColumnsWriter.Describe(other.Fields)}, not {FieldColumnsWriter.Describe(Fields)}";
        }

        // Impacts of one scale are no impacts of another, and rounding what was rounded is not what rounding the weights gives.
        return Precision == ImpactPrecision.Byte && Kind == VectorKind.Sparse && ImpactScale != 0 && other.ImpactScale != 0 && ImpactScale != other.ImpactScale
            ? $"its 8-bit weights have the scale {other.ImpactScale:R}, not {ImpactScale:R}, and cannot be brought to it without error: build both with one --largest-weight, or with --impacts float32"
            : null;
    }
}
