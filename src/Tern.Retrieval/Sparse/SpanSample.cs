namespace Tern.Retrieval;

/// <summary>What a planner reckons from: the first of every 32 spans, whose maxima are found without counting what lies before.</summary>
internal static class SpanSample
{
    public const int Stride = 32;

    /// <summary>The share of an index's spans that is sampled.</summary>
    public static double Share(int spanCount) => ((spanCount + Stride - 1) / Stride) / (double)spanCount;
}
