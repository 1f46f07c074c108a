using System.Globalization;

namespace Tern.Pipelines.Study;

/// <summary>Round places for the ticks of a logarithmic axis, and what they are called.</summary>
public static class LogarithmicTicks
{
    private const int Fewest = 3, Most = 9;

    /// <summary>Leading digits of a decade, from few to many.</summary>
    private static readonly double[][] Digits = [[1], [1, 3], [1, 2, 5], [1, 2, 3, 5, 7], [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9]];

    /// <summary>Between <paramref name="low"/> and <paramref name="high"/> (both above 0), ascending; at least three where the range has round numbers enough.</summary>
    public static IReadOnlyList<double> Between(double low, double high)
    {
        if (!(low > 0) || !(high >= low) || !double.IsFinite(high))
        {
            throw new ArgumentException($"a logarithmic axis needs 0 < low ≤ high: {low}, {high}");
        }

        double[] ticks = [];
        foreach (double[] digits in Digits)
        {
            ticks = [.. Places(digits)];
            if (ticks.Length >= Fewest)
            {
                break;
            }
        }

        if (ticks.Length < Fewest)
        {
            ticks = [.. Multiples(low, high)];
        }

        // Of many decades every second, third and so on.
        int stride = (ticks.Length + Most - 1) / Most;
        return [.. ticks.Where((_, i) => i % Math.Max(1, stride) == 0)];

        IEnumerable<double> Places(double[] digits)
        {
            for (int decade = (int)Math.Floor(Math.Log10(low)) - 1; decade <= Math.Ceiling(Math.Log10(high)); decade++)
            {
                foreach (double digit in digits)
                {
                    double value = double.Parse(string.Create(CultureInfo.InvariantCulture, $"{digit}e{decade}"), CultureInfo.InvariantCulture);
                    if (value >= low && value <= high)
                    {
                        yield return value;
                    }
                }
            }
        }
    }

    /// <summary>In a range so narrow that it has no round digits: multiples of 1, 2 or 5 times a power of ten.</summary>
    private static IEnumerable<double> Multiples(double low, double high)
    {
        double rough = Math.Max(high - low, high * 1e-6) / Fewest, unit = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = unit * (rough / unit < 2 ? 1 : rough / unit < 5 ? 2 : 5);
        for (double i = Math.Ceiling(low / step); i * step <= high; i++)
        {
            yield return i * step;
        }
    }

    /// <summary>Such as 200 k, 1.5 M, 1e12.</summary>
    public static string Label(double value) => value switch
    {
        >= 1e9 => Scientific(value),
        >= 1e6 => (value / 1e6).ToString("0.##", CultureInfo.InvariantCulture) + " M",
        >= 1e3 => (value / 1e3).ToString("0.##", CultureInfo.InvariantCulture) + " k",
        >= 0.01 => value.ToString("0.###", CultureInfo.InvariantCulture),
        _ => Scientific(value),
    };

    private static string Scientific(double value) => value.ToString("0.##e0", CultureInfo.InvariantCulture);
}
