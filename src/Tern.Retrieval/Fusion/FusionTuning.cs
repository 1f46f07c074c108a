namespace Tern.Retrieval;

/// <summary>Weights that did best on development topics, and how well.</summary>
public sealed record TunedFusion(IReadOnlyList<double> Weights, double Value);

/// <summary>
/// Chooses fusion weights by trying all that are multiples of 1/steps and sum to 1. Give it development topics only: on
/// the topics that are reported afterwards the choice would flatter the result.
/// </summary>
public static class FusionTuning
{
    /// <summary>Maximises a measure over all topics of the qrels; of equal values the most even weights win.</summary>
    public static TunedFusion Choose(Qrels developmentQrels, IReadOnlyList<Run> developmentRuns, Measure measure, ScoreNormalization normalization = ScoreNormalization.MinMax, int steps = 10, int depth = 1000)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        if (developmentRuns.Count == 0)
        {
            throw new ArgumentException("there is no run to weigh", nameof(developmentRuns));
        }

        var options = new EvaluationOptions { CompleteTopics = true };
        TunedFusion? best = null;
        foreach (int[] parts in Compositions(steps, developmentRuns.Count).OrderBy(parts => parts.Sum(part => (long)part * part)))
        {
            double[] weights = [.. parts.Select(part => (double)part / steps)];
            Run fused = Fusion.Weighted(developmentRuns, weights, normalization, depth);
            double value = TrecEval.Evaluate(developmentQrels, fused, [measure], options).Summary(measure);
            if (best is null || value > best.Value)
            {
                best = new TunedFusion(weights, value);
            }
        }

        return best!;
    }

    /// <summary>All ways to write a total as an ordered sum of so many parts, zeros allowed.</summary>
    private static IEnumerable<int[]> Compositions(int total, int count)
    {
        if (count == 1)
        {
            yield return [total];
            yield break;
        }

        for (int first = 0; first <= total; first++)
        {
            foreach (int[] rest in Compositions(total - first, count - 1))
            {
                yield return [first, .. rest];
            }
        }
    }
}
