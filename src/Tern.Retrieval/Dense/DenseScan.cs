namespace Tern.Retrieval;

/// <summary>
/// What a search of a dense index reads first. The narrow copies are smaller than the float32 vectors, so a search is
/// faster by as much; rows that their error bound cannot exclude are scored from the float32 vectors, so hits and scores are the same.
/// </summary>
public enum DenseScan
{
    /// <summary>The float32 vectors themselves.</summary>
    Float32,

    /// <summary>A copy rounded to 8 significant bits: half the bytes.</summary>
    BFloat16,

    /// <summary>A copy in whole numbers up to 127 with a scale for each row: a quarter of the bytes.</summary>
    Int8,
}
