namespace Tern.Retrieval;

/// <summary>
/// What pruning has cost on one segment beside what scanning would have, for each kind of search. Threads share it without locks: a
/// lost record is no harm.
/// </summary>
internal sealed class PlannerHistory
{
    // Where pruning does not pay, one query of so many tries it all the same.
    private const int TrialInterval = 64;

    // A new record counts for so much of the average.
    private const double Share = 1.0 / 16;

    // Pruning must have been that much cheaper: what the exhaustive scan costs is more certain.
    private const double Margin = 0.97;

    // The first guess for the four classes of k, with and without a filter: relative costs.
    private readonly double[] _pruned = [0.6, 0.9, 1.2, 1.5, 0.8, 1.1, 1.3, 1.5];
    private readonly double[] _exhaustive = [1, 1, 1, 1, 1, 1, 1, 1];
    private readonly int[] _turns = new int[8];

    public static int Kind(int k, bool isFiltered) => SegmentFormat.ThresholdClass(k) + (isFiltered ? 4 : 0);

    public bool ShouldPrune(int kind) => _pruned[kind] < Margin * _exhaustive[kind] || (++_turns[kind] % TrialInterval) == 0;

    public void Record(int kind, double pruned, double exhaustive)
    {
        // In units of the first records, which the guesses are worth as much as.
        const double Unit = 250_000;
        _pruned[kind] += Share * ((pruned / Unit) - _pruned[kind]);
        _exhaustive[kind] += Share * ((exhaustive / Unit) - _exhaustive[kind]);
    }
}
