namespace Tern.Retrieval;

/// <summary>One topic's ranking as relevance levels, and what its judgements hold; computes measures as trec_eval does.</summary>
internal sealed class JudgedRanking
{
    private const int NotInPool = int.MinValue;
    private const double InferredEpsilon = 0.00001;
    private const double LeastGeometricValue = 0.00001;

    private readonly int[] _levels; // by rank; NotInPool or the level
    private readonly int[] _idealLevels; // positive levels of all judged documents, descending
    private readonly IReadOnlyDictionary<string, int> _judgements;

    public JudgedRanking(IReadOnlyDictionary<string, int> judgements, IReadOnlyList<ScoredDocument> ranking, EvaluationOptions options)
    {
        _judgements = judgements;
        IEnumerable<int> levels = ranking.Take(options.MaxDocuments ?? int.MaxValue).Select(document => judgements.TryGetValue(document.Id, out int level) ? level : NotInPool);
        _levels = [.. options.JudgedDocumentsOnly ? levels.Where(level => level >= 0) : levels];
        _idealLevels = [.. judgements.Values.Where(level => level > 0).OrderDescending()];
    }

    public double Compute(Measure measure, int relevanceLevel)
    {
        int level = measure.RelevanceLevel ?? relevanceLevel;
        int considered = measure.Cutoff == 0 ? _levels.Length : Math.Min(measure.Cutoff, _levels.Length);
        int relevant = _judgements.Values.Count(l => l >= level && l >= 0);
        int found = FoundIn(_levels.Length, level);
        return measure.Kind switch
        {
            MeasureKind.TopicCount => 1,
            MeasureKind.RetrievedCount => _levels.Length,
            MeasureKind.RelevantCount => relevant,
            MeasureKind.RelevantRetrievedCount => found,
            MeasureKind.NonRelevantJudgedRetrievedCount => _levels.Count(l => l >= 0) - found,
            MeasureKind.AveragePrecision => AveragePrecision(considered, level, relevant),
            MeasureKind.GeometricAveragePrecision => Math.Log(Math.Max(AveragePrecision(considered, level, relevant), LeastGeometricValue)),
            MeasureKind.InferredAveragePrecision => InferredAveragePrecision(level, relevant),
            MeasureKind.RPrecision => Ratio(FoundIn(Math.Min(relevant, _levels.Length), level), relevant),
            MeasureKind.RPrecisionMultiple => PrecisionAt((int)((measure.Fraction * relevant) + 0.9), level),
            MeasureKind.Bpref => Bpref(level, relevant),
            MeasureKind.GeometricBpref => Math.Log(Math.Max(Bpref(level, relevant), LeastGeometricValue)),
            MeasureKind.ReciprocalRank => Array.FindIndex(_levels, 0, considered, l => l >= level && l >= 0) is var at and >= 0 ? 1.0 / (at + 1) : 0,
            MeasureKind.PrecisionAtRecall => PrecisionAtRecall(measure.Fraction, level, relevant),
            MeasureKind.ElevenPointAverage => Enumerable.Range(0, 11).Sum(i => PrecisionAtRecall(i / 10.0, level, relevant)) / 11,
            MeasureKind.Utility => found - (_levels.Length - found),
            MeasureKind.Precision => PrecisionAt(measure.Cutoff, level),
            MeasureKind.RelativePrecision => Ratio(FoundIn(considered, level), Math.Min(measure.Cutoff, relevant)),
            MeasureKind.Recall => Ratio(FoundIn(considered, level), relevant),
            MeasureKind.Success => FoundIn(considered, level) > 0 ? 1 : 0,
            MeasureKind.Unjudged => Ratio(_levels.Take(considered).Count(l => l < 0), measure.Cutoff),
            MeasureKind.Ndcg => Ndcg(measure.Cutoff),
            MeasureKind.SetPrecision => Ratio(found, _levels.Length),
            MeasureKind.SetRelativePrecision => Ratio(found, Math.Min(_levels.Length, relevant)),
            MeasureKind.SetRecall => Ratio(found, relevant),
            MeasureKind.SetMap => Ratio(found, _levels.Length) * Ratio(found, relevant),
            MeasureKind.SetF => found == 0 ? 0 : 2.0 * found / (_levels.Length + relevant),
            _ => throw new InvalidOperationException($"measure kind {measure.Kind} has no formula"),
        };
    }

    private static double Ratio(int numerator, int denominator) => denominator == 0 ? 0 : (double)numerator / denominator;

    private static double Discount(int index) => Math.Log2(index + 2);

    private int FoundIn(int count, int level)
    {
        int found = 0;
        for (int i = 0; i < count; i++)
        {
            found += IsRelevant(i, level) ? 1 : 0;
        }

        return found;
    }

    private bool IsRelevant(int index, int level) => _levels[index] >= level && _levels[index] >= 0;

    /// <summary>A ranking shorter than the cut-off is filled with documents that are not relevant.</summary>
    private double PrecisionAt(int cutoff, int level) => Ratio(FoundIn(Math.Min(cutoff, _levels.Length), level), cutoff);

    private double AveragePrecision(int considered, int level, int relevant)
    {
        double sum = 0;
        int found = 0;
        for (int i = 0; i < considered; i++)
        {
            if (IsRelevant(i, level))
            {
                sum += (double)++found / (i + 1);
            }
        }

        return relevant == 0 ? 0 : sum / relevant;
    }

    /// <summary>Yilmaz and Aslam: precision estimated from the judged part of the pool above each relevant document.</summary>
    private double InferredAveragePrecision(int level, int relevant)
    {
        double sum = 0;
        int found = 0, notRelevant = 0, pooledUnjudged = 0;
        for (int i = 0; i < _levels.Length; i++)
        {
            if (_levels[i] == NotInPool)
            {
                continue;
            }

            if (_levels[i] < 0)
            {
                pooledUnjudged++;
            }
            else if (!IsRelevant(i, level))
            {
                notRelevant++;
            }
            else
            {
                sum += i == 0
                    ? 1
                    : (1.0 / (i + 1)) + ((double)(found + notRelevant + pooledUnjudged) / (i + 1) * ((found + InferredEpsilon) / (found + notRelevant + (2 * InferredEpsilon))));
                found++;
            }
        }

        return relevant == 0 ? 0 : sum / relevant;
    }

    /// <summary>Buckley and Voorhees: how many judged documents that are not relevant stand above each relevant one.</summary>
    private double Bpref(int level, int relevant)
    {
        int judgedNotRelevant = _judgements.Values.Count(l => l >= 0 && l < level);
        double sum = 0;
        int above = 0;
        for (int i = 0; i < _levels.Length; i++)
        {
            if (IsRelevant(i, level))
            {
                sum += above == 0 ? 1 : 1 - ((double)Math.Min(above, relevant) / Math.Min(judgedNotRelevant, relevant));
            }
            else if (_levels[i] >= 0)
            {
                above++;
            }
        }

        return relevant == 0 ? 0 : sum / relevant;
    }

    /// <summary>The best precision at or below the point where this fraction of the relevant documents is found.</summary>
    private double PrecisionAtRecall(double fraction, int level, int relevant)
    {
        int needed = (int)Math.Round(fraction * relevant, MidpointRounding.AwayFromZero);
        double best = 0;
        int found = 0;
        for (int i = 0; i < _levels.Length; i++)
        {
            found += IsRelevant(i, level) ? 1 : 0;
            best = found >= needed ? Math.Max(best, (double)found / (i + 1)) : best;
        }

        return best;
    }

    /// <summary>Gain = level, whatever counts as relevant; the ideal ranking holds all judged documents.</summary>
    private double Ndcg(int cutoff)
    {
        int limit = cutoff == 0 ? int.MaxValue : cutoff;
        double gained = 0, ideal = 0;
        for (int i = 0; i < Math.Min(limit, _levels.Length); i++)
        {
            gained += _levels[i] > 0 ? _levels[i] / Discount(i) : 0;
        }

        for (int i = 0; i < Math.Min(limit, _idealLevels.Length); i++)
        {
            ideal += _idealLevels[i] / Discount(i);
        }

        return ideal == 0 ? 0 : gained / ideal;
    }
}
