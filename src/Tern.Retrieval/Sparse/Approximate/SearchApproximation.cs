namespace Tern.Retrieval;

/// <summary>
/// What a search by block maxima leaves out to be faster; hits keep their true scores. Which values keep how much of the exact
/// hits is measured by <see cref="SearchCalibration"/>.
/// </summary>
public sealed record SearchApproximation
{
    /// <summary>Once k documents are found, a leaf is scored only if its bound reaches so many times the worst of their scores; 1 leaves out none.</summary>
    public double ThresholdFactor { get; init; } = 1;

    /// <summary>At most so many leaves of a segment are scored, those of the greatest bounds. Without effect under a filter or deletes.</summary>
    public int LeafBudget { get; init; } = int.MaxValue;

    /// <summary>The weakest terms do not count in bounds: as many as contribute together at most this share of the greatest score. They count in scores.</summary>
    public double DroppedShare { get; init; }

    /// <exception cref="ArgumentException">A value is outside of what it can be.</exception>
    internal void Check()
    {
        if (!(ThresholdFactor >= 1) || double.IsInfinity(ThresholdFactor) || LeafBudget < 1 || !(DroppedShare >= 0 && DroppedShare < 1))
        {
            throw new ArgumentException($"an approximation of threshold factor {ThresholdFactor}, {LeafBudget} leaves, dropped share {DroppedShare}: the factor is at least 1, the leaves at least 1, the share within 0 and 1");
        }
    }
}

/// <summary>What a calibration measured for searches of up to k hits. Recall: how much of the exact hits is found, on average.</summary>
/// <param name="Approximation">Null for exact search.</param>
/// <param name="LeastRecall">Its one-sided 95 % lower confidence bound over queries: what a search is chosen by.</param>
/// <param name="RelativeCost">Reckoned cost beside exact search, whose is 1.</param>
public sealed record CalibratedSearch(int K, SearchApproximation? Approximation, double Recall, double LeastRecall, double RelativeCost);

/// <summary>Adds up what searches cost, in nanoseconds reckoned from counts by <see cref="SearchCosts"/>.</summary>
internal sealed class SearchCounter
{
    public double Cost { get; set; }
}
