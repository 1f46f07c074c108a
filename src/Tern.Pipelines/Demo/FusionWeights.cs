using System.Text;
using Tern.Retrieval;

namespace Tern.Pipelines.Demo;

/// <summary>
/// Chooses the weights of a sum of runs by the mean RR@10 on judged queries, over a grid of shares that add up to one.
/// Scores are brought to [0, 1] per query first, as <see cref="Fusion"/> does.
/// </summary>
internal static class FusionWeights
{
    private const int Cutoff = 10;

    private static readonly Comparer<byte[]> DescendingBytes = Comparer<byte[]>.Create((a, b) => b.AsSpan().SequenceCompareTo(a));

    /// <summary>Shares of the runs in steps of 1 / <paramref name="parts"/>, and the RR@10 they reach; of equals the first in grid order.</summary>
    public static (double[] Weights, double Rr10) Choose(IReadOnlyList<Run> runs, Qrels qrels, int parts = 20)
    {
        Candidate[][] topics = [.. qrels.Topics.Select(topic => Candidates(runs, topic, qrels[topic]))];
        double[][] grid = [.. Grid(runs.Count, parts)];
        double[] values = [.. grid.AsParallel().AsOrdered().Select(weights => topics.Average(candidates => ReciprocalRank(candidates, weights)))];
        int best = Array.IndexOf(values, values.Max());
        return (grid[best], values[best]);
    }

    /// <summary>All vectors of that many multiples of 1 / parts that add up to 1.</summary>
    internal static IEnumerable<double[]> Grid(int count, int parts)
    {
        return Shares(count, parts).Select(shares => shares.Select(share => (double)share / parts).ToArray());

        static IEnumerable<int[]> Shares(int count, int left) => count == 1
            ? [[left]]
            : Enumerable.Range(0, left + 1).SelectMany(first => Shares(count - 1, left - first).Select(rest => (int[])[first, .. rest]));
    }

    /// <summary>Candidates come in the order in which <see cref="Fusion"/> breaks ties, so of equals the earlier ranks higher.</summary>
    private static double ReciprocalRank(Candidate[] candidates, double[] weights)
    {
        int best = -1;
        Span<float> scores = candidates.Length <= 2048 ? stackalloc float[candidates.Length] : new float[candidates.Length];
        for (int i = 0; i < candidates.Length; i++)
        {
            double score = 0;
            for (int run = 0; run < weights.Length; run++)
            {
                score += weights[run] * candidates[i].Scores[run];
            }

            scores[i] = (float)score;
            if (candidates[i].IsRelevant && (best < 0 || scores[i] > scores[best]))
            {
                best = i;
            }
        }

        if (best < 0)
        {
            return 0;
        }

        int rank = 1;
        for (int i = 0; i < candidates.Length; i++)
        {
            rank += scores[i] > scores[best] || (scores[i] == scores[best] && i < best) ? 1 : 0;
        }

        return rank <= Cutoff ? 1.0 / rank : 0;
    }

    private static Candidate[] Candidates(IReadOnlyList<Run> runs, string topic, IReadOnlyDictionary<string, int> judged)
    {
        var scores = new Dictionary<string, double[]>(StringComparer.Ordinal);
        for (int run = 0; run < runs.Count; run++)
        {
            IReadOnlyList<ScoredDocument> documents = runs[run][topic];
            if (documents.Count == 0)
            {
                continue;
            }

            double least = documents[^1].Score, range = documents[0].Score - least, factor = range > 0 ? 1 / range : 0;
            foreach (ScoredDocument document in documents)
            {
                if (!scores.TryGetValue(document.Id, out double[]? row))
                {
                    scores.Add(document.Id, row = new double[runs.Count]);
                }

                row[run] = range > 0 ? (document.Score - least) * factor : 1;
            }
        }

        KeyValuePair<string, double[]>[] ordered = [.. scores];
        Array.Sort(Array.ConvertAll(ordered, s => Encoding.UTF8.GetBytes(s.Key)), ordered, DescendingBytes);
        return Array.ConvertAll(ordered, s => new Candidate(s.Value, judged.GetValueOrDefault(s.Key) > 0));
    }

    private readonly record struct Candidate(double[] Scores, bool IsRelevant);
}
