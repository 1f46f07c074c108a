namespace Tern.Retrieval;

/// <summary>
/// What recall other queries of the same kind can be trusted to have: the one-sided 95 % lower confidence bound of the mean, by the
/// normal distribution over queries. Of many approximations the one chosen is likely to be one whose mean is too good by chance.
/// </summary>
internal static class RecallBound
{
    public const int Percent = 95;

    // The standard normal distribution's 95th percentile.
    private const double Quantile = 1.6448536269514722;

    /// <summary>
    /// For at least one query. Another one that misses a single one of <paramref name="k"/> hits is counted with them, so that a few
    /// queries without a miss do not pass for proof that there is none.
    /// </summary>
    public static double Of(ReadOnlySpan<double> recalls, int k)
    {
        ArgumentOutOfRangeException.ThrowIfZero(recalls.Length);
        double missed = 1 - (1.0 / k);
        int count = recalls.Length + 1;
        double sum = missed;
        foreach (double recall in recalls)
        {
            sum += recall;
        }

        double mean = sum / count;
        double squares = (missed - mean) * (missed - mean);
        foreach (double recall in recalls)
        {
            squares += (recall - mean) * (recall - mean);
        }

        return Math.Max(0, mean - (Quantile * Math.Sqrt(squares / (count - 1) / count)));
    }
}
