namespace Tern.Retrieval;

/// <summary>Tells an MS MARCO run (topic, document, rank) from a Tevatron run (topic, document, score).</summary>
internal static class ThreeColumns
{
    /// <summary>Whole numbers from 1 that rise in every topic are ranks, numbers that never rise are scores; else it is an error.</summary>
    public static RunFormat Format(EvaluationInput input)
    {
        var last = new Dictionary<string, double>(StringComparer.Ordinal);
        bool areRanks = true, areScores = true;
        int unclear = 0;
        foreach ((int number, string line) in input.Lines())
        {
            if (EvaluationInput.Fields(line) is not [var topic, _, var text])
            {
                continue;
            }

            double value = input.Score(number, text);
            bool mayBeRank = value >= 1 && double.IsInteger(value);
            if (!mayBeRank)
            {
                return RunFormat.Scores;
            }

            if (last.TryGetValue(topic, out double before))
            {
                areRanks &= value > before;
                areScores &= value <= before;
                unclear = !areRanks && !areScores && unclear == 0 ? number : unclear;
            }

            last[topic] = value;
        }

        return areRanks
            ? RunFormat.MsMarco
            : areScores
                ? RunFormat.Scores
                : throw input.Invalid(unclear, "the third column may be a rank (MS MARCO) or a score (Tevatron): name the run's format");
    }
}
