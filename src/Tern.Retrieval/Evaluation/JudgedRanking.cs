namespace Tern.Retrieval;

/// <summary>One topic's ranking as relevance levels, and what its judgements hold; computes measures as trec_eval does.</summary>
internal sealed class JudgedRanking
{
    private const int NotInPool = int.MinValue;
    private const double InferredEpsilon = 0.00001;
    private const double LeastGeometricValue = 0.00001;

    private readonly int[] _levels; // by rank; NotInPool or the level
    private readonly int[] _judged; // levels of all judged documents
    private readonly EvaluationOptions _options;

    public JudgedRanking(IReadOnlyDictionary<string, int> judgements, RunEntry[] ranking, EvaluationOptions options)
    {
        IEnumerable<int> levels = ranking.Take(options.MaxDocuments ?? int.MaxValue).Select(document => judgements.TryGetValue(document.Id, out int level) ? level : NotInPool);
        _levels = [.. options.JudgedDocumentsOnly ? levels.Where(level => level >= 0) : levels];
        _judged = [.. judgements.Values.Where(level => level >= 0)];
        _options = options;
    }

    public double Compute(Measure measure)
    {
        int level = measure.RelevanceLevel ?? _options.RelevanceLevel;
        int considered = measure.Cutoff == 0 ? _levels.Length : Math.Min(measure.Cutoff, _levels.Length);
        int relevant = _judged.Count(l => l >= level);
        int found = FoundIn(_levels.Length, level);
        return measure.Kind switch
        {
            MeasureKind.RunId or MeasureKind.RelevanceString => 0,
            MeasureKind.TopicCount => 1,
            MeasureKind.RetrievedCount => _levels.Length,
            MeasureKind.RelevantCount => relevant,
            MeasureKind.RelevantRetrievedCount => found,
            MeasureKind.NonRelevantJudgedRetrievedCount => _levels.Count(l => l >= 0) - found,
            MeasureKind.AveragePrecision => Ratio(PrecisionSum(considered, level), relevant),
            MeasureKind.GeometricAveragePrecision => Math.Log(Math.Max(Ratio(PrecisionSum(considered, level), relevant), LeastGeometricValue)),
            MeasureKind.InferredAveragePrecision => Ratio(InferredPrecisionSum(level), relevant),
            MeasureKind.RPrecision => Ratio(FoundIn(Math.Min(relevant, _levels.Length), level), relevant),
            MeasureKind.RPrecisionMultiple => PrecisionAt((int)((measure.Parameters[0] * relevant) + 0.9), level),
            MeasureKind.Bpref => Bpref(level, relevant),
            MeasureKind.GeometricBpref => Math.Log(Math.Max(Bpref(level, relevant), LeastGeometricValue)),
            MeasureKind.ReciprocalRank => Array.FindIndex(_levels, 0, considered, l => IsRelevant(l, level)) is var at and >= 0 ? 1.0 / (at + 1) : 0,
            MeasureKind.PrecisionAtRecall => PrecisionAtRecall(measure.Parameters[0], level, relevant),
            MeasureKind.MeanPrecisionAtRecall => MeanPrecisionAtRecall(measure.Parameters, level, relevant),
            MeasureKind.Utility => Utility(measure.Parameters, found, relevant),
            MeasureKind.Precision => PrecisionAt(measure.Cutoff, level),
            MeasureKind.RelativePrecision or MeasureKind.CappedRecall => Ratio(FoundIn(considered, level), Math.Min(measure.Cutoff, relevant)),
            MeasureKind.Recall => Ratio(FoundIn(considered, level), relevant),
            MeasureKind.Success => FoundIn(considered, level) > 0 ? 1 : 0,
            MeasureKind.Unjudged => Ratio(_levels.Take(considered).Count(l => l < 0), measure.Cutoff),
            MeasureKind.Judged => Ratio(_levels.Take(considered).Count(l => l != NotInPool), considered),
            MeasureKind.SetPrecision => Ratio(found, _levels.Length),
            MeasureKind.SetRelativePrecision => Ratio(found, Math.Min(_levels.Length, relevant)),
            MeasureKind.SetRecall => Ratio(found, relevant),
            MeasureKind.SetMap => Ratio((double)found * found, (double)_levels.Length * relevant),
            MeasureKind.SetF => SetF(measure.Parameters[0], found, relevant),
            MeasureKind.BinaryGain => BinaryGain(level, relevant),
            MeasureKind.Yaap => PrecisionSum(_levels.Length, level) is var sum ? Math.Log((1 + sum) / (1 + relevant - sum)) : 0,
            // trec_eval leaves this one out where nothing is relevant at the level.
            MeasureKind.NdcgAtLevels when relevant == 0 => 0,
            _ => new GainRanking(_levels, _judged, measure, level).Compute(measure),
        };
    }

    /// <summary>trec_eval's relstring: a level's digit, ">" above 9, "-" outside the pool, "." in it without a judgement.</summary>
    public string RelevanceString(int length) => string.Concat(_levels.Take(length).Select(level => level switch
    {
        NotInPool => '-',
        < 0 => '.',
        > 9 => '>',
        _ => (char)('0' + level),
    }));

    private static double Ratio(double numerator, double denominator) => denominator == 0 ? 0 : numerator / denominator;

    private static bool IsRelevant(int documentLevel, int level) => documentLevel >= level && documentLevel >= 0;

    private int FoundIn(int count, int level)
    {
        int found = 0;
        for (int i = 0; i < count; i++)
        {
            found += IsRelevant(_levels[i], level) ? 1 : 0;
        }

        return found;
    }

    /// <summary>A ranking shorter than the cut-off is filled with documents that are not relevant.</summary>
    private double PrecisionAt(int cutoff, int level) => Ratio(FoundIn(Math.Min(cutoff, _levels.Length), level), cutoff);

    /// <summary>The precisions at the relevant documents among the first <paramref name="considered"/>, added up.</summary>
    private double PrecisionSum(int considered, int level)
    {
        double sum = 0;
        int found = 0;
        for (int i = 0; i < considered; i++)
        {
            if (IsRelevant(_levels[i], level))
            {
                sum += (double)++found / (i + 1);
            }
        }

        return sum;
    }

    /// <summary>Yilmaz and Aslam: precision estimated from the judged part of the pool above each relevant document.</summary>
    private double InferredPrecisionSum(int level)
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
            else if (!IsRelevant(_levels[i], level))
            {
                notRelevant++;
            }
            else
            {
                double above = i;
                sum += i == 0
                    ? 1
                    : (1 / (above + 1)) + (above / (above + 1) * ((found + notRelevant + pooledUnjudged) / above) * ((found + InferredEpsilon) / (found + notRelevant + (2 * InferredEpsilon))));
                found++;
            }
        }

        return sum;
    }

    /// <summary>Buckley and Voorhees: how many judged documents that are not relevant stand above each relevant one.</summary>
    private double Bpref(int level, int relevant)
    {
        int judgedNotRelevant = _judged.Count(l => l < level);
        double sum = 0;
        int above = 0;
        foreach (int documentLevel in _levels)
        {
            if (IsRelevant(documentLevel, level))
            {
                sum += above == 0 ? 1 : 1 - ((double)Math.Min(above, relevant) / Math.Min(judgedNotRelevant, relevant));
            }
            else if (documentLevel >= 0)
            {
                above++;
            }
        }

        return Ratio(sum, relevant);
    }

    /// <summary>The best precision at or below the point where this fraction of the relevant documents is found.</summary>
    private double PrecisionAtRecall(double fraction, int level, int relevant)
    {
        int needed = _options.Semantics == EvaluationSemantics.Trec9
            ? (int)((fraction * relevant) + 0.9)
            : (int)Math.Round(fraction * relevant, MidpointRounding.AwayFromZero);
        double best = 0;
        int found = 0;
        for (int i = 0; i < _levels.Length; i++)
        {
            found += IsRelevant(_levels[i], level) ? 1 : 0;
            best = found >= needed ? Math.Max(best, (double)found / (i + 1)) : best;
        }

        return best;
    }

    /// <summary>Added from the highest recall down, as trec_eval does.</summary>
    private double MeanPrecisionAtRecall(IReadOnlyList<double> fractions, int level, int relevant)
    {
        double sum = 0;
        foreach (double fraction in fractions.Reverse())
        {
            sum += PrecisionAtRecall(fraction, level, relevant);
        }

        return sum / fractions.Count;
    }

    /// <summary>Weights of relevant and other documents found, and of relevant and other ones not found in no more than these.</summary>
    private double Utility(IReadOnlyList<double> weights, int found, int relevant) =>
        (weights[0] * found) + (weights[1] * (_levels.Length - found)) + (weights[2] * (relevant - found)) + (weights[3] * (found - _levels.Length - relevant));

    private double SetF(double weight, int found, int relevant)
    {
        double precision = Ratio(found, _levels.Length), recall = Ratio(found, relevant);
        return found == 0 ? 0 : (weight + 1) * precision * recall / ((weight * precision) + recall);
    }

    /// <summary>Each relevant document's worth falls with the logarithm of what stands above it and is not relevant.</summary>
    private double BinaryGain(int level, int relevant)
    {
        double sum = 0;
        int others = 0;
        foreach (int documentLevel in _levels)
        {
            if (IsRelevant(documentLevel, level))
            {
                sum += 1 / Math.Log2(2 + others);
            }
            else
            {
                others++;
            }
        }

        return Ratio(sum, relevant);
    }
}
