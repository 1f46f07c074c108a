namespace Tern.Retrieval;

/// <summary>One topic's ranking as gains beside the best that its judgements allow: nDCG and its kin.</summary>
internal sealed class GainRanking
{
    private const double DefaultPersistence = 0.9;
    private const double MostExponentialGain = 16; // gdeval's ERR takes 4 for the highest level

    private readonly int[] _levels; // by rank; below 0 without a judgement
    private readonly double[] _gains; // by rank
    private readonly double[] _ideal; // gains above 0 of all judged documents, descending
    private readonly double _best; // gain of the highest level that is judged
    private readonly double _worst;

    /// <summary>Levels by rank, those of all judged documents, and the level from which binary gains count.</summary>
    public GainRanking(int[] levels, int[] judged, Measure measure, int relevanceLevel)
    {
        bool isBinary = measure.Gain == GainFunction.Binary || (measure.Kind == MeasureKind.RankBiasedPrecision && measure.RelevanceLevel is not null);
        double Gain(int level) => (measure.Gain, level) switch
        {
            (_, < 0) => 0,
            _ when measure.LevelGains is { } gains && gains.TryGetValue(level, out double given) => given,
            _ when isBinary => level >= relevanceLevel ? 1 : 0,
            (GainFunction.Exponential, _) => Math.Pow(2, level) - 1,
            _ => level,
        };
        _levels = levels;
        _gains = Array.ConvertAll(levels, Gain);
        _ideal = [.. judged.Select(Gain).Where(gain => gain > 0).OrderDescending()];
        double[] all = [.. Enumerable.Range(0, judged.DefaultIfEmpty(-1).Max() + 1).Select(Gain), .. measure.LevelGains?.Values ?? []];
        _best = all.DefaultIfEmpty(0).Max();
        _worst = all.DefaultIfEmpty(0).Min();
    }

    public double Compute(Measure measure) => measure.Kind switch
    {
        MeasureKind.Dcg => Dcg(_gains, _gains.Length),
        MeasureKind.IdealDcg => Dcg(_ideal, _ideal.Length),
        MeasureKind.Ndcg => Ratio(Dcg(_gains, Limit(measure)), Dcg(_ideal, Limit(measure))),
        MeasureKind.NdcgAtRelevant => NdcgAtRelevant(),
        MeasureKind.NdcgAtLevels => NdcgAtLevels(),
        MeasureKind.NormalizedGain => NormalizedGain(),
        MeasureKind.RankBiasedPrecision => RankBiasedPrecision(Persistence(measure)),
        MeasureKind.RankBiasedPrecisionResidual => RankBiasedPrecisionResidual(Persistence(measure)),
        MeasureKind.ExpectedReciprocalRank => ExpectedReciprocalRank(Limit(measure)),
        _ => throw new InvalidOperationException($"measure kind {measure.Kind} has no formula"),
    };

    private static int Limit(Measure measure) => measure.Cutoff == 0 ? int.MaxValue : measure.Cutoff;

    private static double Persistence(Measure measure) => measure.Parameters.Count > 0 ? measure.Parameters[0] : DefaultPersistence;

    private static double Ratio(double numerator, double denominator) => denominator > 0 ? numerator / denominator : 0;

    private static double Discounted(double gain, int index) => gain / Math.Log2(index + 2);

    private static double Dcg(double[] gains, int count)
    {
        double sum = 0;
        for (int i = 0; i < Math.Min(gains.Length, count); i++)
        {
            sum += gains[i] != 0 ? Discounted(gains[i], i) : 0;
        }

        return sum;
    }

    /// <summary>nDCG averaged over all documents with gain: where each is found, at the end for those that are not.</summary>
    private double NdcgAtRelevant()
    {
        double sum = 0, dcg = 0, ideal = 0;
        int found = 0;
        for (int i = 0; i < Math.Max(_gains.Length, _ideal.Length); i++)
        {
            ideal += i < _ideal.Length ? Discounted(_ideal[i], i) : 0;
            if (i < _gains.Length && _gains[i] != 0)
            {
                dcg += Discounted(_gains[i], i);
                if (_gains[i] > 0)
                {
                    sum += dcg / ideal;
                    found++;
                }
            }
        }

        sum += Ratio((_ideal.Length - found) * dcg, ideal);
        return sum > 0 ? sum / _ideal.Length : 0;
    }

    /// <summary>nDCG averaged over the ranks after which the ideal ranking's gain falls, and the end.</summary>
    private double NdcgAtLevels()
    {
        double sum = 0;
        int points = 0;
        for (int rank = 1; rank <= _ideal.Length; rank++)
        {
            if (rank == _ideal.Length || _ideal[rank] != _ideal[rank - 1])
            {
                sum += Dcg(_gains, rank) / Dcg(_ideal, rank);
                points++;
            }
        }

        if (_ideal.Length > 0 && _gains.Length > _ideal.Length + 1)
        {
            sum += Dcg(_gains, _gains.Length) / Dcg(_ideal, _ideal.Length);
            points++;
        }

        return Ratio(sum, points);
    }

    /// <summary>Buckley's G: a gain is discounted by how far the gains found stay behind the ideal ones, at least 1 a rank.</summary>
    private double NormalizedGain()
    {
        double sum = 0, found = 0, cost = 0;
        for (int i = 0; i < _gains.Length; i++)
        {
            found += _gains[i];
            cost += i < _ideal.Length ? Math.Max(_ideal[i], 1) : 1;
            sum += _gains[i] != 0 ? _gains[i] / Math.Log2(2 + cost - found) : 0;
        }

        return Ratio(sum, _ideal.Sum());
    }

    /// <summary>Moffat and Zobel, gains scaled to 0..1 by the topic's judged levels where they leave it.</summary>
    private double RankBiasedPrecision(double persistence)
    {
        double least = Math.Min(0, _worst);
        double range = _best > 1 || least < 0 ? Math.Max(_best, 0) - least : 1;
        double sum = 0, weight = 1;
        for (int i = 0; i < _gains.Length; i++)
        {
            sum += _levels[i] >= 0 ? (_gains[i] - least) / range * weight : 0;
            weight *= persistence;
        }

        return (1 - persistence) * sum;
    }

    /// <summary>What the documents without a judgement, and those below the ranking's end, could add.</summary>
    private double RankBiasedPrecisionResidual(double persistence)
    {
        double sum = 0, weight = 1;
        foreach (int level in _levels)
        {
            sum += level < 0 ? weight : 0;
            weight *= persistence;
        }

        return sum > 0 ? weight + ((1 - persistence) * sum) : 0;
    }

    /// <summary>Chapelle's cascade, as gdeval computes it: level g satisfies with probability (2^g − 1) / 16.</summary>
    private double ExpectedReciprocalRank(int limit)
    {
        double sum = 0, stillReading = 1;
        for (int i = 0; i < Math.Min(_levels.Length, limit); i++)
        {
            double satisfied = _levels[i] > 0 ? Math.Min(1, (Math.Pow(2, _levels[i]) - 1) / MostExponentialGain) : 0;
            sum += stillReading * satisfied / (i + 1);
            stillReading *= 1 - satisfied;
        }

        return sum;
    }
}
