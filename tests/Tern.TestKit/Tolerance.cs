using Tern.Compute;

namespace Tern.TestKit;

/// <summary>The one place for how far a result may be from its double-precision oracle.</summary>
public static class Tolerance
{
    /// <summary>The largest relative error of rounding a number to this type.</summary>
    public static double UnitRoundoff(DType type) => type == DType.BFloat16 ? 1.0 / 256 : 1.0 / (1 << 24);

    /// <summary>
    /// For a sum of <paramref name="length"/> products whose absolute values add up to <paramref name="magnitude"/>,
    /// accumulated one after the other in this type: rounding errors add up like a random walk, with a factor 2 to spare.
    /// </summary>
    public static double OfSum(DType type, int length, double magnitude) => 2 * (1 + Math.Sqrt(length)) * UnitRoundoff(type) * magnitude;
}
