namespace Tern.Pipelines.Study;

/// <summary>nDCG@10 of a size, type and objective that learned from errors, beside that of its cells of the same seeds without.</summary>
/// <param name="Errors">What kind: <see cref="RobustnessAnalysis.WrongPositives"/> or <see cref="RobustnessAnalysis.TeacherNoise"/>.</param>
/// <param name="Kept">Part of the clean quality that is left, with its 95 % interval over queries drawn with replacement.</param>
public sealed record RobustnessPoint(string Collection, string Size, string Type, string Objective, string Errors, double Level, int SeedCount, double Ndcg10, double Clean, double Kept, double Low, double High)
{
    /// <summary>Kept in every resample; resamples are the same for all points of a collection, so that points compare in pairs.</summary>
    internal IReadOnlyList<double> Draws { get; init; } = [];
}

/// <summary>Robustness to imperfect supervision, from the records of a plan's sweep.</summary>
internal static class RobustnessAnalysis
{
    public const string WrongPositives = "wrong positives", TeacherNoise = "teacher noise";

    private const int Resamples = 2000;

    public static IReadOnlyList<RobustnessPoint> Of(StudyAnalysis analysis)
    {
        List<RobustnessPoint> points = [];
        var swept = analysis.AllRecords.Where(r => r.Errors != StudyErrors.None).ToList();
        foreach (string collection in analysis.Collections)
        {
            foreach (var group in swept.Where(r => StudyAnalysis.On(r, collection) is not null).GroupBy(r => (r.Size, r.Type, r.Objective, r.Errors)))
            {
                CellRecord[] wrong = [.. group];
                CellRecord[] clean = [.. analysis.Records.Where(r => r.Size == group.Key.Size && r.Type == group.Key.Type && r.Objective == group.Key.Objective && wrong.Any(w => w.Seed == r.Seed) && StudyAnalysis.On(r, collection) is not null)];
                if (clean.Length == wrong.Length)
                {
                    points.Add(Point(collection, wrong, clean));
                }
            }
        }

        return [.. points.OrderBy(p => Index(analysis.Collections, p.Collection)).ThenByDescending(p => p.Errors, StringComparer.Ordinal).ThenBy(p => p.Size, StringComparer.Ordinal)
            .ThenBy(p => Index(analysis.Types, p.Type)).ThenBy(p => Index(analysis.Objectives, p.Objective)).ThenBy(p => p.Level)];
    }

    /// <summary>Sparse less dense in the part kept, the mean over the levels and objectives that both have; with its 95 % interval. Null where there is none.</summary>
    public static (double Difference, double Low, double High)? SparseLessDense(StudyAnalysis analysis, string collection, string errors)
    {
        var pairs = analysis.Robustness.Where(p => p.Collection == collection && p.Errors == errors && p.Type == "sparse")
            .Join(analysis.Robustness.Where(p => p.Collection == collection && p.Errors == errors && p.Type == "dense"), Key, Key, (sparse, dense) => (Sparse: sparse, Dense: dense)).ToList();
        if (pairs.Count == 0)
        {
            return null;
        }

        double[] draws = [.. Enumerable.Range(0, Resamples).Select(i => pairs.Average(p => p.Sparse.Draws[i] - p.Dense.Draws[i])).Order()];
        return (pairs.Average(p => p.Sparse.Kept - p.Dense.Kept), draws[(int)(0.025 * Resamples)], draws[(int)(0.975 * Resamples)]);

        static (string, string, double) Key(RobustnessPoint point) => (point.Size, point.Objective, point.Level);
    }

    private static RobustnessPoint Point(string collection, CellRecord[] wrong, CellRecord[] clean)
    {
        double[] after = Mean(wrong), before = Mean(clean);
        var random = new Random(1);
        double[] draws = new double[Resamples];
        for (int i = 0; i < Resamples; i++)
        {
            double sumAfter = 0, sumBefore = 0;
            for (int q = 0; q < before.Length; q++)
            {
                int query = random.Next(before.Length);
                sumAfter += after[query];
                sumBefore += before[query];
            }

            draws[i] = Share(sumAfter, sumBefore);
        }

        double[] ordered = [.. draws.Order()];
        CellRecord first = wrong[0];
        (string errors, double level) = first.WrongPositiveShare > 0 ? (WrongPositives, first.WrongPositiveShare) : (TeacherNoise, first.TeacherNoise);
        return new RobustnessPoint(collection, first.Size, first.Type, first.Objective, errors, level, wrong.Length, after.Average(), before.Average(), Share(after.Sum(), before.Sum()), ordered[(int)(0.025 * Resamples)], ordered[(int)(0.975 * Resamples)]) { Draws = draws };

        double[] Mean(CellRecord[] records)
        {
            CellMeasures[] measures = [.. records.Select(r => StudyAnalysis.On(r, collection)!)];
            return [.. Enumerable.Range(0, measures[0].Ndcg10PerQuery.Count).Select(q => measures.Average(m => m.Ndcg10PerQuery[q]))];
        }

        // Where a clean model finds nothing, errors cost nothing.
        static double Share(double after, double before) => before > 0 ? after / before : 1;
    }

    private static int Index(IReadOnlyList<string> order, string name)
    {
        for (int i = 0; i < order.Count; i++)
        {
            if (order[i] == name)
            {
                return i;
            }
        }

        return order.Count;
    }
}
