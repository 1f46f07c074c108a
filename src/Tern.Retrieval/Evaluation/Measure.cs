using System.Globalization;
using System.Text.RegularExpressions;

namespace Tern.Retrieval;

/// <summary>What a measure computes for one topic; trec_eval's definitions.</summary>
internal enum MeasureKind
{
    TopicCount,
    RetrievedCount,
    RelevantCount,
    RelevantRetrievedCount,
    NonRelevantJudgedRetrievedCount,
    AveragePrecision,
    GeometricAveragePrecision,
    InferredAveragePrecision,
    RPrecision,
    RPrecisionMultiple,
    Bpref,
    GeometricBpref,
    ReciprocalRank,
    PrecisionAtRecall,
    ElevenPointAverage,
    Utility,
    Precision,
    RelativePrecision,
    Recall,
    Success,
    Unjudged,
    Ndcg,
    SetPrecision,
    SetRelativePrecision,
    SetRecall,
    SetMap,
    SetF,
}

/// <summary>
/// An evaluation measure by name: the field's (<c>nDCG@10</c>, <c>RR@10</c>, <c>R@100</c>, <c>AP</c>, <c>P(rel=2)@5</c>)
/// or trec_eval's (<c>ndcg_cut_10</c>, <c>recip_rank</c>, <c>recall_100</c>, <c>map</c>). nDCG has linear gains.
/// </summary>
public sealed partial record Measure
{
    private static readonly Dictionary<string, MeasureKind> Plain = new(StringComparer.OrdinalIgnoreCase)
    {
        ["num_q"] = MeasureKind.TopicCount,
        ["num_ret"] = MeasureKind.RetrievedCount,
        ["num_rel"] = MeasureKind.RelevantCount,
        ["num_rel_ret"] = MeasureKind.RelevantRetrievedCount,
        ["num_nonrel_judged_ret"] = MeasureKind.NonRelevantJudgedRetrievedCount,
        ["map"] = MeasureKind.AveragePrecision,
        ["AP"] = MeasureKind.AveragePrecision,
        ["gm_map"] = MeasureKind.GeometricAveragePrecision,
        ["infAP"] = MeasureKind.InferredAveragePrecision,
        ["Rprec"] = MeasureKind.RPrecision,
        ["bpref"] = MeasureKind.Bpref,
        ["gm_bpref"] = MeasureKind.GeometricBpref,
        ["recip_rank"] = MeasureKind.ReciprocalRank,
        ["RR"] = MeasureKind.ReciprocalRank,
        ["MRR"] = MeasureKind.ReciprocalRank,
        ["11pt_avg"] = MeasureKind.ElevenPointAverage,
        ["utility"] = MeasureKind.Utility,
        ["ndcg"] = MeasureKind.Ndcg,
        ["set_P"] = MeasureKind.SetPrecision,
        ["set_relative_P"] = MeasureKind.SetRelativePrecision,
        ["set_recall"] = MeasureKind.SetRecall,
        ["set_map"] = MeasureKind.SetMap,
        ["set_F"] = MeasureKind.SetF,
    };

    private static readonly Dictionary<string, MeasureKind> WithCutoff = new(StringComparer.OrdinalIgnoreCase)
    {
        ["P"] = MeasureKind.Precision,
        ["recall"] = MeasureKind.Recall,
        ["R"] = MeasureKind.Recall,
        ["success"] = MeasureKind.Success,
        ["relative_P"] = MeasureKind.RelativePrecision,
        ["unj"] = MeasureKind.Unjudged,
        ["ndcg"] = MeasureKind.Ndcg,
        ["ndcg_cut"] = MeasureKind.Ndcg,
        ["map"] = MeasureKind.AveragePrecision,
        ["AP"] = MeasureKind.AveragePrecision,
        ["map_cut"] = MeasureKind.AveragePrecision,
        ["RR"] = MeasureKind.ReciprocalRank,
        ["MRR"] = MeasureKind.ReciprocalRank,
    };

    private static readonly Dictionary<string, MeasureKind> WithFraction = new(StringComparer.OrdinalIgnoreCase)
    {
        ["iprec_at_recall"] = MeasureKind.PrecisionAtRecall,
        ["Rprec_mult"] = MeasureKind.RPrecisionMultiple,
    };

    private Measure(string name, MeasureKind kind)
    {
        Name = name;
        Kind = kind;
    }

    /// <summary>As it was asked for.</summary>
    public string Name { get; }

    internal MeasureKind Kind { get; }

    /// <summary>Only the first so many documents count; 0 for all.</summary>
    internal int Cutoff { get; private init; }

    internal double Fraction { get; private init; }

    /// <summary>From <c>(rel=n)</c>: overrides the evaluation's level.</summary>
    internal int? RelevanceLevel { get; private init; }

    /// <summary>True for counts, which are whole numbers and are summed over topics.</summary>
    public bool IsCount => Kind <= MeasureKind.NonRelevantJudgedRetrievedCount;

    /// <summary>True for measures that are averaged geometrically and not reported for single topics.</summary>
    internal bool IsGeometric => Kind is MeasureKind.GeometricAveragePrecision or MeasureKind.GeometricBpref;

    /// <summary>trec_eval's default report, without the run's tag.</summary>
    public static IReadOnlyList<Measure> TrecDefault { get; } = ParseList(
        "num_q num_ret num_rel num_rel_ret map gm_map Rprec bpref recip_rank"
        + string.Concat(Enumerable.Range(0, 11).Select(i => string.Create(CultureInfo.InvariantCulture, $" iprec_at_recall_{i / 10.0:0.00}")))
        + " P_5 P_10 P_15 P_20 P_30 P_100 P_200 P_500 P_1000");

    /// <summary>An unknown name is an <see cref="ArgumentException"/> that lists what there is.</summary>
    public static Measure Parse(string name)
    {
        Match match = Shape().Match(name);
        if (match.Success)
        {
            string stem = match.Groups["stem"].Value;
            string number = match.Groups["number"].Value;
            int? level = match.Groups["rel"].Success ? int.Parse(match.Groups["rel"].Value, CultureInfo.InvariantCulture) : null;
            if (number.Length == 0 && Plain.TryGetValue(stem, out MeasureKind plain))
            {
                return new Measure(name, plain) { RelevanceLevel = level };
            }

            if (WithCutoff.TryGetValue(stem, out MeasureKind cut) && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int cutoff) && cutoff > 0)
            {
                return new Measure(name, cut) { Cutoff = cutoff, RelevanceLevel = level };
            }

            if (WithFraction.TryGetValue(stem, out MeasureKind fractional) && double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double fraction))
            {
                return new Measure(name, fractional) { Fraction = fraction, RelevanceLevel = level };
            }
        }

        throw new ArgumentException($"unknown measure '{name}'; there are: {string.Join(", ", Plain.Keys)}, {string.Join(", ", WithCutoff.Keys.Select(stem => stem + "@k"))}, {string.Join(", ", WithFraction.Keys.Select(stem => stem + "_0.50"))}", nameof(name));
    }

    /// <summary>Several names, parted by white space; commas repeat a stem with other cut-offs (<c>ndcg_cut.10,20</c>).</summary>
    public static IReadOnlyList<Measure> ParseList(string names)
    {
        var measures = new List<Measure>();
        foreach (string item in LineReader.Fields(names))
        {
            string[] parts = item.Split(',', StringSplitOptions.RemoveEmptyEntries);
            foreach (string part in parts)
            {
                measures.Add(Parse(measures.Count > 0 && part != parts[0] && char.IsAsciiDigit(part[0]) ? StemOf(parts[0]) + part : part));
            }
        }

        return measures;
    }

    public override string ToString() => Name;

    private static string StemOf(string name) => Shape().Match(name) is { Success: true } match ? name[..match.Groups["number"].Index] : name;

    // stem, then (rel=n), then a number after @, _ or a dot.
    [GeneratedRegex(@"^(?<stem>[A-Za-z_]+?|11pt_avg)(\(rel=(?<rel>\d+)\))?([@_.](?<number>\d+(\.\d+)?))?$", RegexOptions.CultureInvariant)]
    private static partial Regex Shape();
}
