namespace Tern.Retrieval;

/// <summary>A document to index: one vector, of the index's kind, and what is stored beside it.</summary>
public sealed record IndexDocument(string Id)
{
    private static readonly IReadOnlyDictionary<string, FieldValue> NoFields = new Dictionary<string, FieldValue>();

    /// <summary>For a sparse index.</summary>
    public SparseVector? Sparse { get; init; }

    /// <summary>For a dense index.</summary>
    public ReadOnlyMemory<float> Dense { get; init; }

    /// <summary>Any bytes, UTF-8 JSON by convention; only for indexes that store them.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>Values for filters, by the names that the index was set up with; a document may lack any of them.</summary>
    public IReadOnlyDictionary<string, FieldValue> Fields { get; init; } = NoFields;
}
