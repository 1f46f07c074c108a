using Tern.Retrieval;

namespace Tern.Pipelines.Study;

/// <summary>How a type and an objective scale on one collection: 1 − nDCG@10 as a power law of the non-embedding parameters.</summary>
/// <param name="ExponentLow">Of the exponent's 95 % interval over queries and seeds drawn with replacement.</param>
public sealed record ScalingFit(string Collection, string Type, string Objective, PowerLaw Law, double ExponentLow, double ExponentHigh, int SizeCount, int SeedCount);

/// <summary>Two systems over the same queries, seeds averaged per query; p is adjusted over the whole family by Holm's rule.</summary>
public sealed record StudyComparison(string Question, string Collection, string Size, string First, string Second, PairedComparison Figures, double AdjustedP);

/// <summary>Whether scaling under one objective is steeper than under another: the difference of exponents with its interval.</summary>
public sealed record SlopeDifference(string Collection, string Type, string First, string Second, double Difference, double Low, double High);

/// <summary>
/// What the finished cells say, from their records alone: power laws, paired comparisons, slopes, and what errors in the supervision
/// cost. Everything random is drawn from fixed seeds. "First beats second" is about these models only: trained from scratch, small.
/// </summary>
public sealed class StudyAnalysis
{
    private const int Resamples = 2000;
    private const int Permutations = 20_000;

    /// <param name="plan">Gives types, objectives and collections their order.</param>
    public StudyAnalysis(StudyPlan plan, IReadOnlyList<CellRecord> records)
    {
        AllRecords = records;
        Records = [.. records.Where(r => r.Errors == StudyErrors.None)];
        Collections = [.. plan.Evaluate.Select(e => e.Name).Where(name => records.Any(r => On(r, name) is not null))];
        Types = [.. plan.Types.Where(t => Records.Any(r => r.Type == t))];
        Objectives = [.. plan.Objectives.Select(o => o.Name).Where(o => Records.Any(r => r.Objective == o))];
        Fits = [.. Groups().Select(Fit).OfType<ScalingFit>()];
        Slopes = [.. SlopeDifferences()];
        Comparisons = Compare();
        Robustness = RobustnessAnalysis.Of(this);
    }

    /// <summary>Cells without errors in what they learned from; all but <see cref="Robustness"/> is about these.</summary>
    public IReadOnlyList<CellRecord> Records { get; }

    public IReadOnlyList<CellRecord> AllRecords { get; }

    public IReadOnlyList<string> Types { get; }

    public IReadOnlyList<string> Objectives { get; }

    public IReadOnlyList<string> Collections { get; }

    public IReadOnlyList<ScalingFit> Fits { get; }

    public IReadOnlyList<SlopeDifference> Slopes { get; }

    public IReadOnlyList<StudyComparison> Comparisons { get; }

    /// <summary>What errors in the supervision leave of the quality; empty where none were swept.</summary>
    public IReadOnlyList<RobustnessPoint> Robustness { get; }

    /// <summary>A collection's measures by one cell; null where the cell has none there.</summary>
    public static CellMeasures? On(CellRecord record, string collection) => record.Measures.FirstOrDefault(m => m.Collection == collection);

    private IEnumerable<(string Collection, string Type, string Objective)> Groups() =>
        from collection in Collections
        from type in Types
        from objective in Objectives
        select (collection, type, objective);

    private ScalingFit? Fit((string Collection, string Type, string Objective) group)
    {
        Sample sample = new(Records, group.Collection, group.Type, group.Objective);
        if (sample.Sizes.Count < 2)
        {
            return null;
        }

        double[] exponents = [.. Draws(sample).Order()];
        return new ScalingFit(group.Collection, group.Type, group.Objective, sample.Fit(null, null), exponents[(int)(0.025 * Resamples)], exponents[(int)(0.975 * Resamples)], sample.Sizes.Count, sample.SeedCount);
    }

    /// <summary>Exponents of fits to resampled queries and seeds; the same draws for every group of a collection, so that differences are paired.</summary>
    private static IEnumerable<double> Draws(Sample sample)
    {
        var random = new Random(1);
        for (int i = 0; i < Resamples; i++)
        {
            int[] queries = [.. Enumerable.Range(0, sample.QueryCount).Select(_ => random.Next(sample.QueryCount))];
            int[] seeds = [.. Enumerable.Range(0, sample.SeedCount).Select(_ => random.Next(sample.SeedCount))];
            yield return sample.Fit(queries, seeds).Exponent;
        }
    }

    private IEnumerable<SlopeDifference> SlopeDifferences()
    {
        IReadOnlyList<string> objectives = Objectives;
        foreach (string collection in Collections)
        {
            foreach (string type in Types)
            {
                for (int i = 0; i < objectives.Count; i++)
                {
                    for (int j = i + 1; j < objectives.Count; j++)
                    {
                        Sample first = new(Records, collection, type, objectives[i]), second = new(Records, collection, type, objectives[j]);
                        if (first.Sizes.Count >= 2 && first.Sizes.SequenceEqual(second.Sizes) && first.SeedCount == second.SeedCount && first.QueryCount == second.QueryCount)
                        {
                            double[] differences = [.. Draws(first).Zip(Draws(second), (a, b) => a - b).Order()];
                            yield return new SlopeDifference(
                                collection, type, objectives[i], objectives[j],
                                first.Fit(null, null).Exponent - second.Fit(null, null).Exponent,
                                differences[(int)(0.025 * Resamples)], differences[(int)(0.975 * Resamples)]);
                        }
                    }
                }
            }
        }
    }

    /// <summary>Sparse against dense at equal size and objective, and every pair of objectives at equal size and type.</summary>
    private IReadOnlyList<StudyComparison> Compare()
    {
        List<(string Question, string Collection, string Size, string First, string Second, double[] A, double[] B)> pairs = [];
        IReadOnlyList<string> objectives = Objectives;
        string[] sizes = [.. Records.Select(r => r.Size).Distinct()];
        foreach (string collection in Collections)
        {
            foreach (string size in sizes)
            {
                foreach (string objective in objectives)
                {
                    Add("sparse against dense", collection, size, ("sparse", objective), ("dense", objective));
                }

                foreach (string type in Types)
                {
                    for (int i = 0; i < objectives.Count; i++)
                    {
                        for (int j = i + 1; j < objectives.Count; j++)
                        {
                            Add("objective against objective", collection, size, (type, objectives[j]), (type, objectives[i]));
                        }
                    }
                }
            }
        }

        PairedComparison[] figures = [.. pairs.Select(p => RandomizationTest.Paired(p.A, p.B, Permutations))];
        double[] adjusted = HolmCorrection.Adjust([.. figures.Select(f => f.PValue)]);
        return [.. pairs.Select((p, i) => new StudyComparison(p.Question, p.Collection, p.Size, p.First, p.Second, figures[i], adjusted[i]))];

        void Add(string question, string collection, string size, (string Type, string Objective) first, (string Type, string Objective) second)
        {
            if (PerQuery(collection, size, first) is { } a && PerQuery(collection, size, second) is { } b && a.Length == b.Length)
            {
                pairs.Add((question, collection, size, $"{first.Type} {first.Objective}", $"{second.Type} {second.Objective}", a, b));
            }
        }
    }

    /// <summary>nDCG@10 of every query, the mean over seeds.</summary>
    private double[]? PerQuery(string collection, string size, (string Type, string Objective) system)
    {
        CellMeasures[] measures = [.. Records.Where(r => r.Size == size && r.Type == system.Type && r.Objective == system.Objective).Select(r => On(r, collection)).OfType<CellMeasures>()];
        return measures.Length == 0 ? null
            : [.. Enumerable.Range(0, measures[0].Ndcg10PerQuery.Count).Select(q => measures.Average(m => m.Ndcg10PerQuery[q]))];
    }

    /// <summary>nDCG@10 by size, seed and query of one type and objective; sizes for which a seed is missing are left out.</summary>
    private sealed class Sample
    {
        private readonly double[][][] _values;

        public Sample(IReadOnlyList<CellRecord> records, string collection, string type, string objective)
        {
            CellRecord[] own = [.. records.Where(r => r.Type == type && r.Objective == objective && On(r, collection) is not null)];
            int[] seeds = [.. own.Select(r => r.Seed).Distinct().Order()];
            var sizes = own.GroupBy(r => r.NonEmbeddingParameters).Where(g => g.Count() == seeds.Length).OrderBy(g => g.Key).ToList();
            Sizes = [.. sizes.Select(g => (double)g.Key)];
            SeedCount = seeds.Length;
            _values = [.. sizes.Select(g => g.OrderBy(r => r.Seed).Select(r => On(r, collection)!.Ndcg10PerQuery.ToArray()).ToArray())];
            QueryCount = _values.Length > 0 ? _values[0][0].Length : 0;
        }

        public IReadOnlyList<double> Sizes { get; }

        public int SeedCount { get; }

        public int QueryCount { get; }

        /// <summary>The law through the sizes' means over the given queries and seeds, all of them where null.</summary>
        public PowerLaw Fit(int[]? queries, int[]? seeds) => PowerLaw.Fit(Sizes, [.. _values.Select(size => Math.Max(1e-9, 1 - Mean(size, queries, seeds)))]);

        private static double Mean(double[][] size, int[]? queries, int[]? seeds)
        {
            double sum = 0;
            int[] chosen = seeds ?? [.. Enumerable.Range(0, size.Length)];
            foreach (int seed in chosen)
            {
                sum += queries is null ? size[seed].Average() : queries.Average(q => size[seed][q]);
            }

            return sum / chosen.Length;
        }
    }
}
