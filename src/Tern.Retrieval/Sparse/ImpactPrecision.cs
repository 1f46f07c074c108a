namespace Tern.Retrieval;

/// <summary>How an index keeps the weight of a term in a document.</summary>
public enum ImpactPrecision
{
    /// <summary>
    /// Eight bits: impact = round(weight / scale) within 1..255, scale = largest weight / 255, so no posting is lost.
    /// Scores are exact integer sums of these impacts times a query of 10 bits, then scaled.
    /// </summary>
    Byte,

    /// <summary>
    /// Eight bits in the postings and the float32 weight itself in the forward index: scores are float32 sums in the order
    /// of the query's terms, and hits are those of a float32 scan, unless a search asks for impacts.
    /// </summary>
    Float32,
}

/// <summary>How the ids of long lists are stored. Both give the same hits.</summary>
public enum PostingLayout
{
    /// <summary>Gaps of as many bits as they need: about 1.3 bytes less a posting.</summary>
    Packed,

    /// <summary>Sixteen bits an id, for a little more speed.</summary>
    Raw,
}

/// <summary>What a score is made of.</summary>
public enum ScoringMode
{
    /// <summary>Exact integer sums over the index's 8-bit impacts.</summary>
    Impacts,

    /// <summary>What a float32 scan of the vectors as they were added gives, to the bit.</summary>
    Float32,
}

/// <summary>What a sparse index is built with.</summary>
public sealed record SparseIndexOptions
{
    /// <summary>Term ids are below this.</summary>
    public required int VocabularySize { get; init; }

    public ImpactPrecision Precision { get; init; } = ImpactPrecision.Byte;

    public PostingLayout Layout { get; init; } = PostingLayout.Packed;

    /// <summary>Whether documents' vectors are stored too, about 2.3 bytes a posting: explaining and float32 scores need them.</summary>
    public bool Forward { get; init; } = true;

    /// <summary>
    /// About how many bytes of memory a build may take, the runtime's included; 0 sets no bound. With a bound documents wait in a
    /// temporary file of 8 bytes a posting beside the index, which is read once for each part of the terms that fits the memory.
    /// </summary>
    public long MemoryByteCount { get; init; }

    /// <summary>
    /// The weight that becomes impact 255; greater ones are stored as it. 0 takes the greatest of the documents. Indexes with
    /// 8-bit weights can be merged when they were built with one value.
    /// </summary>
    public float LargestWeight { get; init; }

    /// <summary>The quantiser of an index that a segment becomes part of.</summary>
    internal float? ImpactScale { get; init; }

    /// <summary>Of the model that makes the vectors; stored, so that queries of another model can be refused.</summary>
    public string Fingerprint { get; init; } = "";
}
