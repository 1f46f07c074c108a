using System.Text;

namespace Tern.Retrieval;

/// <summary>How the scores of one ranking become comparable with those of another.</summary>
public enum ScoreNormalization
{
    /// <summary>(s − least) / (greatest − least); all 1 when they are equal. A document that a ranking lacks gets 0.</summary>
    MinMax,

    /// <summary>(s − mean) / standard deviation; all 0 when they are equal. A document that a ranking lacks gets its least.</summary>
    ZScore,
}

/// <summary>
/// Combines rankings of one topic into one, under the total order of scores and ids. Rankings must be in order, best
/// first; sums are taken in the order of the rankings.
/// </summary>
public static class Fusion
{
    public const int DefaultRankConstant = 60;

    /// <summary>Reciprocal rank fusion: a document scores Σ 1 / (k + rank), ranks from 1; a ranking that lacks it adds nothing.</summary>
    public static IReadOnlyList<ScoredDocument> ReciprocalRank(IReadOnlyList<IReadOnlyList<ScoredDocument>> rankings, int k = DefaultRankConstant)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        var sums = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (IReadOnlyList<ScoredDocument> ranking in rankings)
        {
            for (int i = 0; i < ranking.Count; i++)
            {
                sums[ranking[i].Id] = sums.GetValueOrDefault(ranking[i].Id) + (1.0 / (k + i + 1));
            }
        }

        return Ordered(sums);
    }

    /// <summary>Weighted sum of scores normalised within each ranking; <paramref name="weights"/> has one finite weight ≥ 0 a ranking.</summary>
    public static IReadOnlyList<ScoredDocument> Weighted(IReadOnlyList<IReadOnlyList<ScoredDocument>> rankings, IReadOnlyList<double> weights, ScoreNormalization normalization = ScoreNormalization.MinMax)
    {
        if (weights.Count != rankings.Count || weights.Any(weight => !(weight >= 0) || double.IsInfinity(weight)))
        {
            throw new ArgumentException($"{rankings.Count} rankings need as many weights, finite and not negative: [{string.Join(", ", weights)}]", nameof(weights));
        }

        var sums = new Dictionary<string, double>(StringComparer.Ordinal);
        double missing = 0;
        for (int r = 0; r < rankings.Count; r++)
        {
            (double shift, double factor, double absent) = Normalization(rankings[r], normalization);
            missing += weights[r] * absent;
            foreach (ScoredDocument document in rankings[r])
            {
                // Every document starts from "missing everywhere" and each ranking that has it corrects its own part.
                sums[document.Id] = sums.GetValueOrDefault(document.Id) + (weights[r] * (((document.Score - shift) * factor) + (normalization == ScoreNormalization.MinMax && factor == 0 ? 1 : 0) - absent));
            }
        }

        return Ordered(sums.ToDictionary(sum => sum.Key, sum => sum.Value + missing, StringComparer.Ordinal));
    }

    /// <summary>Fuses whole runs topic by topic: all topics that any of them has, each run cut to <paramref name="depth"/> documents.</summary>
    public static Run ReciprocalRank(IReadOnlyList<Run> runs, int k = DefaultRankConstant, int depth = 1000, string tag = "rrf") =>
        FuseRuns(runs, depth, tag, rankings => ReciprocalRank(rankings, k));

    /// <summary>As the other overload, with weighted normalised scores.</summary>
    public static Run Weighted(IReadOnlyList<Run> runs, IReadOnlyList<double> weights, ScoreNormalization normalization = ScoreNormalization.MinMax, int depth = 1000, string tag = "weighted") =>
        FuseRuns(runs, depth, tag, rankings => Weighted(rankings, weights, normalization));

    private static Run FuseRuns(IReadOnlyList<Run> runs, int depth, string tag, Func<IReadOnlyList<IReadOnlyList<ScoredDocument>>, IReadOnlyList<ScoredDocument>> fuse)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(depth, 1);
        var fused = new Run(tag);
        foreach (string topic in runs.SelectMany(run => run.Topics).Distinct(StringComparer.Ordinal))
        {
            fused.AddTopic(topic);
            foreach (ScoredDocument document in fuse([.. runs.Select(run => (IReadOnlyList<ScoredDocument>)[.. run[topic].Take(depth)])]).Take(depth))
            {
                fused.Add(topic, document.Id, document.Score);
            }
        }

        return fused;
    }

    /// <summary>normalised = (score − shift) · factor, and what a document that is not in the ranking gets.</summary>
    private static (double Shift, double Factor, double Absent) Normalization(IReadOnlyList<ScoredDocument> ranking, ScoreNormalization normalization)
    {
        if (ranking.Count == 0)
        {
            return (0, 0, 0);
        }

        double least = ranking.Min(document => (double)document.Score);
        if (normalization == ScoreNormalization.MinMax)
        {
            double range = ranking.Max(document => (double)document.Score) - least;
            return (least, range > 0 ? 1 / range : 0, 0);
        }

        double mean = ranking.Average(document => (double)document.Score);
        double deviation = Math.Sqrt(ranking.Average(document => (document.Score - mean) * (document.Score - mean)));
        return deviation > 0 ? (mean, 1 / deviation, (least - mean) / deviation) : (mean, 0, 0);
    }

    private static ScoredDocument[] Ordered(Dictionary<string, double> sums)
    {
        ScoredDocument[] documents = [.. sums.Select(sum => new ScoredDocument(sum.Key, (float)sum.Value))];
        byte[][] ids = Array.ConvertAll(documents, document => Encoding.UTF8.GetBytes(document.Id));
        int[] order = [.. Enumerable.Range(0, documents.Length)];
        Array.Sort(order, (a, b) => documents[a].Score != documents[b].Score ? documents[b].Score.CompareTo(documents[a].Score) : ids[b].AsSpan().SequenceCompareTo(ids[a]));
        return Array.ConvertAll(order, i => documents[i]);
    }
}
