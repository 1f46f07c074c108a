namespace Tern.Retrieval.Exchange;

/// <summary>
/// Weights as the whole numbers that Anserini and CIFF hold: round(weight · scale), half away from zero. A weight that
/// becomes 0 is left out, one above <paramref name="largest"/> becomes it; both are counted. Not thread-safe.
/// </summary>
public sealed class ImpactRounding(double scale, int largest = int.MaxValue)
{
    public double Scale { get; } = scale > 0 && double.IsFinite(scale) ? scale : throw new ArgumentOutOfRangeException(nameof(scale), $"the scale is {scale}; it must be greater than 0");

    public long Count { get; private set; }

    /// <summary>Weights that became 0.</summary>
    public long LostCount { get; private set; }

    /// <summary>Weights that were cut to the largest number.</summary>
    public long ClampedCount { get; private set; }

    /// <summary>Weights that are not the whole number that a truncating reader makes of weight · scale.</summary>
    public long FractionCount { get; private set; }

    /// <summary>The scale that makes 255 of the largest weight.</summary>
    public static double EightBitScale(float largestWeight) => largestWeight > 0f ? 255.0 / largestWeight : 1;

    public int Round(float weight)
    {
        double scaled = weight * Scale;
        double rounded = Math.Round(scaled, MidpointRounding.AwayFromZero);
        Count++;
        LostCount += rounded == 0 ? 1 : 0;
        ClampedCount += rounded > largest ? 1 : 0;
        FractionCount += scaled != rounded ? 1 : 0;
        return (int)Math.Min(rounded, largest);
    }

    /// <summary>What a user should know about the numbers, or null when every weight is kept within rounding.</summary>
    public string? Warning()
    {
        if (Count == 0 || (LostCount == 0 && ClampedCount == 0 && (Scale != 1 || FractionCount == 0)))
        {
            return null;
        }

        string fractions = Scale == 1 && FractionCount > 0 ? $"; {FractionCount:N0} had a fraction, which is rounded away" : "";
        string clamped = ClampedCount > 0 ? $"; {ClampedCount:N0} were cut to {largest}" : "";
        return FormattableString.Invariant($"weights become whole numbers (times {Scale:G6}): {LostCount:N0} of {Count:N0} become 0 and are left out") + fractions + clamped + "; a larger --scale keeps more";
    }
}
