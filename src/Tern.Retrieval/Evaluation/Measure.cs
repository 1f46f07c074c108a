using System.Globalization;

namespace Tern.Retrieval;

/// <summary>What a measure computes for one topic.</summary>
internal enum MeasureKind
{
    // Counts are summed over topics.
    TopicCount,
    RetrievedCount,
    RelevantCount,
    RelevantRetrievedCount,
    NonRelevantJudgedRetrievedCount,

    // Texts have no value.
    RunId,
    RelevanceString,

    AveragePrecision,
    GeometricAveragePrecision,
    InferredAveragePrecision,
    RPrecision,
    RPrecisionMultiple,
    Bpref,
    GeometricBpref,
    ReciprocalRank,
    PrecisionAtRecall,
    MeanPrecisionAtRecall,
    Utility,
    Precision,
    RelativePrecision,
    Recall,
    CappedRecall,
    Success,
    Unjudged,
    Judged,
    Dcg,
    IdealDcg,
    Ndcg,
    NdcgAtRelevant,
    NdcgAtLevels,
    NormalizedGain,
    BinaryGain,
    RankBiasedPrecision,
    RankBiasedPrecisionResidual,
    ExpectedReciprocalRank,
    Yaap,
    SetPrecision,
    SetRelativePrecision,
    SetRecall,
    SetMap,
    SetF,
}

/// <summary>What a relevance level is worth in nDCG.</summary>
internal enum GainFunction
{
    /// <summary>The level itself: trec_eval, pytrec_eval, BEIR.</summary>
    Linear,

    /// <summary>2^level − 1: gdeval, Burges.</summary>
    Exponential,

    /// <summary>1 for relevant: sentence-transformers.</summary>
    Binary,
}

/// <summary>
/// An evaluation measure by name: the field's (<c>nDCG@10</c>, <c>RR@10</c>, <c>R@100</c>, <c>AP</c>, <c>P(rel=2)@5</c>,
/// as ir_measures writes them) or trec_eval's (<c>ndcg_cut.10</c>, <c>ndcg_cut_10</c>, <c>recip_rank</c>, <c>map</c>).
/// nDCG has linear gains unless named otherwise: <c>nDCG(dcg=exp-log2)@10</c>, <c>nDCG(dcg=binary)@10</c>.
/// </summary>
public sealed record Measure
{
    internal Measure(string name, MeasureKind kind)
    {
        Name = name;
        Kind = kind;
    }

    /// <summary>As it is reported: trec_eval's names as trec_eval prints them, others as they were asked for.</summary>
    public string Name { get; }

    internal MeasureKind Kind { get; }

    /// <summary>Only the first so many documents count; 0 for all.</summary>
    internal int Cutoff { get; init; }

    /// <summary>What trec_eval calls parameters: recall points, weights, beta, length, persistence.</summary>
    internal IReadOnlyList<double> Parameters { get; init; } = [];

    internal GainFunction Gain { get; init; }

    /// <summary>Gains of single levels, in place of the gain function.</summary>
    internal IReadOnlyDictionary<int, double>? LevelGains { get; init; }

    /// <summary>From <c>(rel=n)</c>: overrides the evaluation's level.</summary>
    internal int? RelevanceLevel { get; init; }

    /// <summary>True for counts, which are whole numbers and are summed over topics.</summary>
    public bool IsCount => Kind <= MeasureKind.NonRelevantJudgedRetrievedCount;

    /// <summary>True for trec_eval's runid and relstring, which only its own output shows.</summary>
    public bool IsText => Kind is MeasureKind.RunId or MeasureKind.RelevanceString;

    /// <summary>False for geometric means and the count of topics, which are reported over all topics only.</summary>
    public bool IsPerTopic => !IsGeometric && Kind is not (MeasureKind.TopicCount or MeasureKind.RunId);

    /// <summary>BEIR's and MTEB's key, such as <c>ndcg_at_10</c>; null where they have none.</summary>
    public string? MtebKey => (Kind, Cutoff, Gain, RelevanceLevel) switch
    {
        (_, 0, _, _) or (_, _, _, not null) => null,
        (MeasureKind.Ndcg, _, GainFunction.Linear, _) when LevelGains is null => Key("ndcg"),
        (MeasureKind.AveragePrecision, _, _, _) => Key("map"),
        (MeasureKind.Recall, _, _, _) => Key("recall"),
        (MeasureKind.Precision, _, _, _) => Key("precision"),
        (MeasureKind.ReciprocalRank, _, _, _) => Key("mrr"),
        (MeasureKind.Success, _, _, _) => Key("accuracy"),
        _ => null,
    };

    /// <summary>True for measures that are averaged geometrically and not reported for single topics.</summary>
    internal bool IsGeometric => Kind is MeasureKind.GeometricAveragePrecision or MeasureKind.GeometricBpref;

    /// <summary>trec_eval's default report ("official").</summary>
    public static IReadOnlyList<Measure> TrecDefault { get; } = TrecMeasures.Named("official", EvaluationSemantics.Trec9)!;

    /// <summary>An unknown name is an <see cref="ArgumentException"/> that lists what there is.</summary>
    public static Measure Parse(string name) => ParseList(name) is [var only] ? only : throw MeasureNames.Unknown(name);

    /// <summary>
    /// Several names, parted by white space or commas; a number after a comma repeats the name before it
    /// (<c>ndcg_cut.10,20</c>). A name that needs a cut-off and has none stands for trec_eval's cut-offs;
    /// <c>official</c>, <c>set</c> and <c>all_trec</c> (which grew in version 10) for its reports.
    /// </summary>
    public static IReadOnlyList<Measure> ParseList(string names, EvaluationSemantics semantics = EvaluationSemantics.Trec9) => MeasureNames.Parse(names, semantics);

    /// <summary>In the order in which trec_eval prints them, each once; measures that it does not have come last.</summary>
    public static IReadOnlyList<Measure> InTrecOrder(IEnumerable<Measure> measures) =>
        [.. measures.DistinctBy(measure => measure.Name).OrderBy(TrecMeasures.Place).ThenBy(measure => measure.Cutoff).ThenBy(measure => measure.Parameters.Count > 0 ? measure.Parameters[0] : 0)];

    /// <summary>The name says all.</summary>
    public bool Equals(Measure? other) => other?.Name == Name;

    public override int GetHashCode() => Name.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => Name;

    private string Key(string stem) => string.Create(CultureInfo.InvariantCulture, $"{stem}_at_{Cutoff}");
}
