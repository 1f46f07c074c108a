using Tern.Text;

namespace Tern.Pipelines.Teaching;

/// <summary>Gives examples a teacher's scores. Negatives that it has none for are dropped, and examples whose positive is one, and counted.</summary>
public static class Teacher
{
    /// <summary>The example with scores, or null; one example's result depends on nothing else.</summary>
    public static TrainingExample? Teach(TrainingExample example, IPairScorer scorer, Func<string, Document> document, IDictionary<string, long> counts)
    {
        Document[] candidates = [.. example.NegativeIds.Prepend(example.PositiveId).Select(document)];
        float[] scores = new float[candidates.Length];
        scorer.Score(example.Query, candidates, scores);
        Count("examples_read", 1);
        if (float.IsNaN(scores[0]))
        {
            Count("without_positive_score", 1);
            return null;
        }

        int[] scored = [.. Enumerable.Range(1, candidates.Length - 1).Where(i => !float.IsNaN(scores[i]))];
        Count("negatives_without_score", candidates.Length - 1 - scored.Length);
        Count("examples", 1);
        Count("negatives", scored.Length);
        return example with
        {
            NegativeIds = [.. scored.Select(i => example.NegativeIds[i - 1])],
            PositiveScore = scores[0],
            NegativeScores = [.. scored.Select(i => scores[i])],
        };

        void Count(string name, long count) => counts[name] = (counts.TryGetValue(name, out long sum) ? sum : 0) + count;
    }
}
