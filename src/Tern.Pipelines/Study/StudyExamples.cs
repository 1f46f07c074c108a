using Tern.Text;

namespace Tern.Pipelines.Study;

/// <summary>A plan's training examples: judged queries with the teacher's candidates and scores, and whatever errors the plan asks for.</summary>
internal static class StudyExamples
{
    /// <summary>
    /// Every positive of the teacher's file makes an example; queries with fewer negatives than an objective draws are left out for all objectives,
    /// so that all learn from the same queries, and are counted. Scores are divided by the plan's temperature. Errors depend on the seed and on
    /// the order of the file's lines only: cells of one seed have the same errors, and those of a small share are among those of a greater.
    /// </summary>
    /// <exception cref="InvalidDataException">A query without a text, named with file and line; or no query is left.</exception>
    public static (IReadOnlyList<TrainingExample> Examples, int QueriesLeftOut) Create(StudyPlan plan, IReadOnlyDictionary<string, string> queries, StudyErrors errors, int seed)
    {
        List<TeacherScores> all = [.. TeacherScoreReader.Read(plan.Teacher)];
        if (all.Count == 0)
        {
            throw new InvalidDataException($"{plan.Teacher}: no teacher scores");
        }

        int drawn = plan.Objectives.Max(o => o.NegativeCount);
        Random forPositives = new(seed), forScores = new(seed); // A seeded Random keeps its sequence across versions of .NET.
        double deviation = errors.TeacherNoise > 0 ? errors.TeacherNoise * Deviation(all) : 0;
        var examples = new List<TrainingExample>(all.Count);
        int leftOut = 0;
        foreach (TeacherScores scores in all)
        {
            if (!queries.TryGetValue(scores.QueryId, out string? text))
            {
                throw new InvalidDataException($"{scores.Place}: query '{scores.QueryId}' is not among the queries of {plan.Train.Directory}");
            }

            if (scores.Negatives.Count < drawn)
            {
                leftOut++;
                continue;
            }

            foreach (ScoredCandidate relevant in scores.Positives)
            {
                ScoredCandidate positive = Noisy(relevant);
                ScoredCandidate[] negatives = [.. scores.Negatives.Select(Noisy)];
                (double draw, int other) = (forPositives.NextDouble(), forPositives.Next(Math.Max(1, negatives.Length)));
                if (draw < errors.WrongPositiveShare && negatives.Length > 0)
                {
                    (positive, negatives[other]) = (negatives[other], positive);
                }

                examples.Add(new TrainingExample(text, positive.Id, [.. negatives.Select(n => n.Id)], positive.Score, [.. negatives.Select(n => n.Score)]));
            }
        }

        return examples.Count > 0 ? (examples, leftOut) : throw new InvalidDataException($"{plan.Teacher}: no query has the {drawn} negatives that an objective draws");

        ScoredCandidate Noisy(ScoredCandidate candidate)
        {
            double noise = deviation > 0 ? deviation * Math.Sqrt(-2 * Math.Log(1 - forScores.NextDouble())) * Math.Cos(2 * Math.PI * forScores.NextDouble()) : 0;
            return candidate with { Score = (float)((candidate.Score + noise) / plan.TeacherTemperature) };
        }
    }

    private static double Deviation(List<TeacherScores> all)
    {
        double[] values = [.. all.SelectMany(s => s.Positives.Concat(s.Negatives)).Select(c => (double)c.Score)];
        double mean = values.Average();
        return Math.Sqrt(values.Average(v => (v - mean) * (v - mean)));
    }
}
