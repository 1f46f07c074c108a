namespace Tern.Retrieval;

/// <summary>How an index keeps the weight of a term in a document.</summary>
public enum ImpactPrecision
{
    /// <summary>
    /// Eight bits: impact = round(weight / scale) within 1..255, scale = largest weight / 255, so no posting is lost.
    /// Scores are exact integer sums of these impacts times a query of 10 bits, then scaled.
    /// </summary>
    Byte,

    /// <summary>The float32 weight itself; scores are float32 sums in the order of the query's terms.</summary>
    Float32,
}

/// <summary>What a sparse index is built with.</summary>
public sealed record SparseIndexOptions
{
    /// <summary>Term ids are below this.</summary>
    public required int VocabularySize { get; init; }

    public ImpactPrecision Precision { get; init; } = ImpactPrecision.Byte;

    /// <summary>Of the model that makes the vectors; stored, so that queries of another model can be refused.</summary>
    public string Fingerprint { get; init; } = "";
}
