using Tern.Pipelines.Teaching;
using Tern.Retrieval;
using Tern.Text;

namespace Tern.Pipelines.Mining;

/// <summary>How hard negatives are chosen among what a search finds.</summary>
public sealed record MiningOptions
{
    /// <summary>Documents looked at for each query.</summary>
    public int Depth { get; init; } = 200;

    /// <summary>Negatives kept for each example, the highest ranked.</summary>
    public int NegativeCount { get; init; } = 30;

    /// <summary>The first ranks are left out: what stands there is often relevant and not judged.</summary>
    public int Skip { get; init; }

    /// <summary>A candidate counts as a false negative when the teacher scores it above the positive less this; null for no filter.</summary>
    public double? Margin { get; init; }

    /// <exception cref="ArgumentException">A number is out of its range.</exception>
    public void Validate()
    {
        if (NegativeCount < 1 || Skip < 0 || Depth < NegativeCount + Skip)
        {
            throw new ArgumentException($"a depth of {Depth} does not hold {NegativeCount} negatives after the first {Skip}; look deeper or keep fewer");
        }
    }
}

/// <summary>
/// Turns queries with known relevant documents into training examples with hard negatives: what a search finds and no judgement
/// calls relevant, less what a teacher takes for relevant. Pure: one query's examples depend on nothing else.
/// </summary>
public sealed class HardNegativeMiner
{
    private readonly MiningOptions _options;
    private readonly Qrels _qrels;
    private readonly IPairScorer? _teacher;
    private readonly Func<string, Document>? _document;

    /// <param name="teacher">Scores positives and candidates, which then carry its scores; null for examples without.</param>
    /// <param name="document">A document by its id, for the teacher.</param>
    public HardNegativeMiner(MiningOptions options, Qrels qrels, IPairScorer? teacher = null, Func<string, Document>? document = null)
    {
        options.Validate();
        if (options.Margin is not null && teacher is null)
        {
            throw new ArgumentException("a margin needs a teacher, whose scores it compares");
        }

        _options = options;
        _qrels = qrels;
        _teacher = teacher;
        _document = document;
    }

    /// <summary>
    /// The examples of one query, one for each relevant document, with counts of what was dropped. A query without a relevant document
    /// or without any negative left gives none.
    /// </summary>
    public (IReadOnlyList<TrainingExample> Examples, MiningCounts Counts) Mine(Query query, IReadOnlyList<ScoredDocument> found)
    {
        var counts = new MiningCounts { Queries = 1 };
        string[] positives = [.. _qrels[query.Id].Where(j => j.Value > 0).Select(j => j.Key)];
        List<string> candidates = [];
        foreach (ScoredDocument hit in found.Take(_options.Depth).Skip(_options.Skip))
        {
            if (_qrels[query.Id].GetValueOrDefault(hit.Id) > 0)
            {
                counts.Judged++;
            }
            else
            {
                candidates.Add(hit.Id);
            }
        }

        float[] scores = Score(query.Text, candidates);
        float[] positiveScores = Score(query.Text, positives);
        List<TrainingExample> examples = [];
        for (int p = 0; p < positives.Length; p++)
        {
            List<string> negatives = [];
            List<float> negativeScores = [];
            for (int i = 0; i < candidates.Count && negatives.Count < _options.NegativeCount; i++)
            {
                if (_options.Margin is { } margin && scores[i] > positiveScores[p] - margin)
                {
                    counts.FalseNegatives++;
                    continue;
                }

                negatives.Add(candidates[i]);
                if (_teacher is not null)
                {
                    negativeScores.Add(scores[i]);
                }
            }

            if (negatives.Count == 0)
            {
                counts.WithoutNegatives++;
                continue;
            }

            counts.Examples++;
            counts.Negatives += negatives.Count;
            examples.Add(_teacher is null
                ? new TrainingExample(query.Text, positives[p], negatives)
                : new TrainingExample(query.Text, positives[p], negatives, positiveScores[p], negativeScores));
        }

        return (examples, counts);
    }

    private float[] Score(string query, IReadOnlyList<string> ids)
    {
        float[] scores = new float[ids.Count];
        if (_teacher is not null && ids.Count > 0)
        {
            _teacher.Score(query, [.. ids.Select(_document!)], scores);
        }

        return scores;
    }
}

/// <summary>What mining has seen and kept.</summary>
public sealed class MiningCounts
{
    public long Queries { get; set; }

    public long Examples { get; set; }

    public long Negatives { get; set; }

    /// <summary>Found documents that a judgement calls relevant.</summary>
    public long Judged { get; set; }

    /// <summary>Candidates that the teacher takes for relevant.</summary>
    public long FalseNegatives { get; set; }

    /// <summary>Pairs that were left without any negative and dropped.</summary>
    public long WithoutNegatives { get; set; }

    public IReadOnlyDictionary<string, long> ToDictionary() => new Dictionary<string, long>
    {
        ["queries"] = Queries,
        ["examples"] = Examples,
        ["negatives"] = Negatives,
        ["judged_relevant"] = Judged,
        ["false_negatives"] = FalseNegatives,
        ["without_negatives"] = WithoutNegatives,
    };

    public void Add(MiningCounts other)
    {
        Queries += other.Queries;
        Examples += other.Examples;
        Negatives += other.Negatives;
        Judged += other.Judged;
        FalseNegatives += other.FalseNegatives;
        WithoutNegatives += other.WithoutNegatives;
    }
}
