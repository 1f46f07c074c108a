namespace Tern.Retrieval;

/// <summary>
/// A sixteenth of an index's spans, from which a planner reckons: the first 8 of every 128, so that reading their maxima
/// is reading a few places in a row.
/// </summary>
internal static class SpanSample
{
    /// <summary>One word of 32 spans in so many is sampled,</summary>
    public const int WordStride = 4;

    /// <summary>and of it the first spans.</summary>
    public const int SpansOfWord = 8;

    /// <summary>The share of an index's spans that is sampled.</summary>
    public static double Share(int spanCount)
    {
        const int Period = 32 * WordStride;
        return ((spanCount / Period * SpansOfWord) + Math.Min(SpansOfWord, spanCount % Period)) / (double)spanCount;
    }
}
