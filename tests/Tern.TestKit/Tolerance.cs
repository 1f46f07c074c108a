using System.Globalization;
using Tern.Compute;
using Xunit;

namespace Tern.TestKit;

/// <summary>
/// The one place for how far a result may be from its double-precision oracle, by the element type and the number of
/// terms in the longest sum behind it. An element's limit is <see cref="Relative"/> times its expected magnitude, or times
/// the root mean square of the whole tensor where that is greater: a sum's rounding follows its terms, not its result.
/// </summary>
public readonly record struct Tolerance(double Relative, bool PerElement = false)
{
    /// <summary>The largest relative error of rounding a number to this type.</summary>
    public static double UnitRoundoff(DType type) => type == DType.BFloat16 ? 1.0 / 256 : 1.0 / (1 << 24);

    /// <summary>
    /// For a sum of <paramref name="length"/> products whose absolute values add up to <paramref name="magnitude"/>,
    /// accumulated one after the other in this type: rounding errors add up like a random walk, with a factor 2 to spare.
    /// </summary>
    public static double OfSum(DType type, int length, double magnitude) => 2 * (1 + Math.Sqrt(length)) * UnitRoundoff(type) * magnitude;

    /// <summary>For sums of that many terms: rounding errors grow like a random walk, with room for a few operations around the sum.</summary>
    public static Tolerance For(DType dtype, int reductionLength) => new(UnitRoundoff(dtype) * (6 + (2 * Math.Sqrt(reductionLength))));

    /// <summary>For functions of single elements: that many units of roundoff of the element itself.</summary>
    public static Tolerance OfRoundoffs(DType dtype, double count) => new(UnitRoundoff(dtype) * count, PerElement: true);

    /// <summary>Wider by a factor, for operations that amplify their input's rounding, such as an exponential.</summary>
    public Tolerance Times(double factor) => this with { Relative = Relative * factor };

    /// <summary>Fails unless every element is within its limit; returns the greatest error, where, and its share of the limit.</summary>
    public string Check(string what, ReadOnlySpan<float> actual, ReadOnlySpan<double> expected, int columns = 0)
    {
        Assert.True(actual.Length == expected.Length, $"{what}: {actual.Length} elements, expected {expected.Length}");
        double meanSquare = 0;
        foreach (double value in expected)
        {
            meanSquare += double.IsFinite(value) ? value * value / expected.Length : 0;
        }

        double floor = PerElement ? 0 : Math.Sqrt(meanSquare);
        double worst = 0;
        int worstIndex = 0;
        for (int i = 0; i < expected.Length && !double.IsNaN(worst); i++)
        {
            double limit = (Relative * Math.Max(Math.Abs(expected[i]), floor)) + float.Epsilon;
            double share = expected[i].Equals((double)actual[i]) ? 0 : Math.Abs(actual[i] - expected[i]) / limit;
            if (!(share <= worst))
            {
                worst = share;
                worstIndex = i;
            }
        }

        string where = columns > 0 ? $"[{worstIndex / columns}, {worstIndex % columns}]" : $"[{worstIndex}]";
        string report = expected.Length == 0
            ? $"{what}: empty"
            : string.Create(CultureInfo.InvariantCulture, $"{what}: max error {Math.Abs(actual[worstIndex] - expected[worstIndex]):e2} at {where} (got {actual[worstIndex]:g9}, expected {expected[worstIndex]:g9}), {100 * worst:f1} % of the limit");
        Assert.True(worst <= 1, report);
        return report;
    }
}
