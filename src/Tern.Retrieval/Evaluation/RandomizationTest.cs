namespace Tern.Retrieval;

/// <summary>
/// Two systems over the same topics, first minus second: mean difference with its 95 % bootstrap interval, two-sided
/// p-value, and on how many topics the first is better, worse or equal.
/// </summary>
public sealed record PairedComparison(double MeanDifference, double IntervalLow, double IntervalHigh, double PValue, int Wins, int Losses, int Ties);

/// <summary>
/// The paired randomisation (sign-flip) test: were the two systems exchangeable, each topic's difference could as well
/// have the other sign. p = (flips with a mean at least as far from 0 + 1) / (flips + 1). Deterministic for a seed.
/// </summary>
public static class RandomizationTest
{
    public const int DefaultPermutations = 100_000;

    public const int DefaultResamples = 10_000;

    /// <summary>Values of both systems in one order of topics, as <see cref="EvaluationReport.PerTopic"/> gives them.</summary>
    public static PairedComparison Paired(IReadOnlyList<double> first, IReadOnlyList<double> second, int permutations = DefaultPermutations, ulong seed = 1)
    {
        double[] differences = Differences(first, second);
        ArgumentOutOfRangeException.ThrowIfLessThan(permutations, 1);
        (double low, double high) = BootstrapInterval(differences, seed: seed);
        return new PairedComparison(
            differences.Average(),
            low,
            high,
            PValue(differences, permutations, seed),
            differences.Count(d => d > 0),
            differences.Count(d => d < 0),
            differences.Count(d => d == 0));
    }

    /// <summary>
    /// Compares two reports of one measure. Both must have averaged over the same topics (evaluate with
    /// <see cref="EvaluationOptions.CompleteTopics"/>), or it is an <see cref="ArgumentException"/>.
    /// </summary>
    public static PairedComparison Paired(EvaluationReport first, EvaluationReport second, Measure measure, int permutations = DefaultPermutations, ulong seed = 1) =>
        first.Topics.SequenceEqual(second.Topics)
            ? Paired(first.PerTopic(measure), second.PerTopic(measure), permutations, seed)
            : throw new ArgumentException($"the reports cover different topics ({first.Topics.Count} and {second.Topics.Count}); evaluate both over all topics of the qrels", nameof(second));

    /// <summary>The percentile bootstrap interval of the mean: topics drawn with replacement.</summary>
    public static (double Low, double High) BootstrapInterval(IReadOnlyList<double> values, double confidence = 0.95, int resamples = DefaultResamples, ulong seed = 1)
    {
        if (values.Count == 0 || !(confidence is > 0 and < 1) || resamples < 1)
        {
            throw new ArgumentException($"a bootstrap needs values, a confidence within 0..1 and resamples: {values.Count}, {confidence}, {resamples}");
        }

        var random = new SplitMix64(seed);
        double[] pool = [.. values];
        var means = new double[resamples];
        for (int r = 0; r < resamples; r++)
        {
            double sum = 0;
            for (int i = 0; i < pool.Length; i++)
            {
                sum += pool[random.Below(pool.Length)];
            }

            means[r] = sum / pool.Length;
        }

        Array.Sort(means);
        int cut = (int)((1 - confidence) / 2 * resamples);
        return (means[cut], means[resamples - 1 - cut]);
    }

    private static double PValue(double[] differences, int permutations, ulong seed)
    {
        // A zero has no sign to flip.
        double[] signed = [.. differences.Where(d => d != 0)];
        double observed = Math.Abs(signed.Sum());
        // Sums of the same numbers in another sign pattern differ in their last bits; equal means must count as equal.
        double limit = observed - (1e-12 * signed.Sum(Math.Abs));
        var random = new SplitMix64(seed);
        long asFar = 0;
        for (int p = 0; p < permutations; p++)
        {
            double sum = 0;
            for (int start = 0; start < signed.Length; start += 64)
            {
                ulong bits = random.Next();
                int end = Math.Min(signed.Length, start + 64);
                for (int i = start; i < end; i++)
                {
                    sum += BitConverter.UInt64BitsToDouble(BitConverter.DoubleToUInt64Bits(signed[i]) ^ (bits << 63));
                    bits >>= 1;
                }
            }

            asFar += Math.Abs(sum) >= limit ? 1 : 0;
        }

        return (asFar + 1.0) / (permutations + 1.0);
    }

    private static double[] Differences(IReadOnlyList<double> first, IReadOnlyList<double> second)
    {
        if (first.Count != second.Count || first.Count == 0)
        {
            throw new ArgumentException($"a paired test needs one value of each system for every topic: {first.Count} and {second.Count}", nameof(second));
        }

        var differences = new double[first.Count];
        for (int i = 0; i < differences.Length; i++)
        {
            differences[i] = first[i] - second[i];
            if (!double.IsFinite(differences[i]))
            {
                throw new ArgumentException($"topic {i}: the values {first[i]} and {second[i]} have no finite difference", nameof(first));
            }
        }

        return differences;
    }
}
