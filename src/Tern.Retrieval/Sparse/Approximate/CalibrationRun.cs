namespace Tern.Retrieval;

/// <summary>How a calibration is made.</summary>
public sealed record CalibrationOptions
{
    /// <summary>Numbers of hits that are calibrated; a search uses the next that is not smaller than its own.</summary>
    public IReadOnlyList<int> HitCounts { get; init; } = [10, 100];

    /// <summary>Where no queries are given, so many of the index's documents, evenly spread, are searched for.</summary>
    public int DocumentCount { get; init; } = 256;

    /// <summary>Of these documents so many terms, the heaviest: as many as a query has.</summary>
    public int TermCount { get; init; } = 32;

    /// <summary>All processors when 0; the result is the same.</summary>
    public int ThreadCount { get; init; }

    /// <summary>Called with the number of approximations that are measured.</summary>
    public Action<int>? Progress { get; init; }

    public CancellationToken CancellationToken { get; init; }
}

/// <summary>
/// Measures a grid of approximations on an index: the recall of each against the exact hits, and its cost reckoned from counts,
/// so that the same index and queries give the same calibration. What is dearer than another that can be trusted to find no less is left out.
/// </summary>
public static class CalibrationRun
{
    private static readonly double[] ThresholdFactors = [1, 1.15, 1.35, 1.6, 2];

    private static readonly double[] DroppedShares = [0, 0.06, 0.12, 0.2, 0.3];

    private static readonly int[] LeavesPerHit = [3, 6, 12, 24, 48];

    /// <summary>Number of approximations that are measured for each number of hits.</summary>
    public static int GridSize => ThresholdFactors.Length * DroppedShares.Length * LeavesPerHit.Length;

    /// <summary>Measures with queries like those that will be asked.</summary>
    public static SearchCalibration OnQueries(SegmentedIndex index, IReadOnlyList<SparseVector> queries, CalibrationOptions options)
    {
        if (queries.Count == 0)
        {
            throw new ArgumentException("a calibration needs at least one query", nameof(queries));
        }

        return Run(index, queries, null, CalibrationSource.Queries, options);
    }

    /// <summary>
    /// Measures with the index's own documents for queries, each without itself among the hits. Needs documents' vectors (a
    /// forward index).
    /// </summary>
    public static SearchCalibration OnDocuments(SegmentedIndex index, CalibrationOptions options)
    {
        int[] chosen = Sample(index, options.DocumentCount);
        SparseVector[] queries = Array.ConvertAll(chosen, document => Heaviest(index.SparseVector(document), options.TermCount));
        return chosen.Length > 0
            ? Run(index, queries, chosen, CalibrationSource.Documents, options)
            : throw new ArgumentException("an index without documents cannot be calibrated", nameof(index));
    }

    /// <summary>How much of the exact hits other hits have: their documents, but for one that does not count; 1 where there are none.</summary>
    internal static double Recall(ReadOnlySpan<Hit> exact, ReadOnlySpan<Hit> found, int excluded)
    {
        int expected = 0;
        int same = 0;
        var documents = new HashSet<int>(found.Length);
        foreach (Hit hit in found)
        {
            documents.Add(hit.DocId);
        }

        foreach (Hit hit in exact)
        {
            if (hit.DocId != excluded)
            {
                expected++;
                same += documents.Contains(hit.DocId) ? 1 : 0;
            }
        }

        return expected == 0 ? 1 : (double)same / expected;
    }

    private static SearchCalibration Run(SegmentedIndex index, IReadOnlyList<SparseVector> queries, int[]? own, CalibrationSource source, CalibrationOptions options)
    {
        var searches = new List<CalibratedSearch>();
        int measured = 0;
        foreach (int k in options.HitCounts.Distinct().Order())
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
            (Hit[][] exact, double[] scanned) = Search(index, queries, k, new SparseSearchOptions { Algorithm = SearchAlgorithms.Exhaustive }, options);
            (_, double[] pruned) = Search(index, queries, k, new SparseSearchOptions { Algorithm = SearchAlgorithms.BlockMax }, options);
            double exactCost = Math.Max(1, scanned.Zip(pruned, Math.Min).Sum());
            var grid = new List<CalibratedSearch>();
            foreach (SearchApproximation approximation in Grid(k))
            {
                (Hit[][] found, double[] costs) = Search(index, queries, k, new SparseSearchOptions { Approximation = approximation }, options);
                double[] recalls = [.. Enumerable.Range(0, queries.Count).Select(q => Recall(exact[q], found[q], own is null ? -1 : own[q]))];
                grid.Add(new CalibratedSearch(k, approximation, recalls.Average(), RecallBound.Of(recalls, k), costs.Sum() / exactCost));
                options.Progress?.Invoke(++measured);
            }

            searches.AddRange(Best(grid));
            searches.Add(new CalibratedSearch(k, null, 1, 1, 1));
        }

        return SearchCalibration.Of(index, source, queries.Count, [.. searches]);
    }

    private static IEnumerable<SearchApproximation> Grid(int k) =>
        from factor in ThresholdFactors
        from share in DroppedShares
        from leaves in LeavesPerHit
        select new SearchApproximation { ThresholdFactor = factor, DroppedShare = share, LeafBudget = (int)Math.Min(int.MaxValue, (long)leaves * k) };

    /// <summary>By descending least recall, those that are cheaper than all before them and than exact search.</summary>
    private static IEnumerable<CalibratedSearch> Best(IEnumerable<CalibratedSearch> grid)
    {
        double least = 1;
        foreach (CalibratedSearch search in grid.OrderByDescending(s => s.LeastRecall).ThenBy(s => s.RelativeCost))
        {
            if (search.RelativeCost < least)
            {
                least = search.RelativeCost;
                yield return search;
            }
        }
    }

    private static (Hit[][] Hits, double[] Costs) Search(SegmentedIndex index, IReadOnlyList<SparseVector> queries, int k, SparseSearchOptions search, CalibrationOptions options)
    {
        var hits = new Hit[queries.Count][];
        var costs = new double[queries.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.ThreadCount > 0 ? options.ThreadCount : Environment.ProcessorCount, CancellationToken = options.CancellationToken };
        Parallel.For(0, queries.Count, parallel, q =>
        {
            var counter = new SearchCounter();
            hits[q] = index.Search(queries[q], k, search with { Counter = counter });
            costs[q] = counter.Cost;
        });
        return (hits, costs);
    }

    /// <summary>Evenly spread documents that are not deleted.</summary>
    private static int[] Sample(SegmentedIndex index, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        int[] all = [.. index.Documents()];
        count = Math.Min(count, all.Length);
        return [.. Enumerable.Range(0, count).Select(i => all[(int)((long)i * all.Length / count)])];
    }

    private static SparseVector Heaviest(SparseVector vector, int count)
    {
        (int Term, float Weight)[] terms = [.. vector.Terms.ToArray().Zip(vector.Weights.ToArray()).OrderByDescending(t => t.Second).ThenBy(t => t.First).Take(count).OrderBy(t => t.First)];
        return new SparseVector(Array.ConvertAll(terms, t => t.Term), Array.ConvertAll(terms, t => t.Weight));
    }
}
