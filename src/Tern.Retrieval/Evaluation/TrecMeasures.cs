using System.Globalization;

namespace Tern.Retrieval;

/// <summary>trec_eval's measures in the order in which it prints them, and how it writes their parameters.</summary>
internal static class TrecMeasures
{
    private const string Cutoffs = "5,10,15,20,30,100,200,500,1000";
    private const string RecallPoints = "0.0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1.0";

    private static readonly Row[] Rows =
    [
        new("runid", MeasureKind.RunId),
        new("num_q", MeasureKind.TopicCount),
        new("num_ret", MeasureKind.RetrievedCount),
        new("num_rel", MeasureKind.RelevantCount),
        new("num_rel_ret", MeasureKind.RelevantRetrievedCount),
        new("map", MeasureKind.AveragePrecision),
        new("gm_map", MeasureKind.GeometricAveragePrecision),
        new("Rprec", MeasureKind.RPrecision),
        new("bpref", MeasureKind.Bpref),
        new("recip_rank", MeasureKind.ReciprocalRank),
        new("iprec_at_recall", MeasureKind.PrecisionAtRecall, Shape.Points, RecallPoints),
        new("P", MeasureKind.Precision, Shape.Cutoffs, Cutoffs),
        new("relstring", MeasureKind.RelevanceString, Shape.Numbers, "10"),
        new("recall", MeasureKind.Recall, Shape.Cutoffs, Cutoffs),
        new("infAP", MeasureKind.InferredAveragePrecision),
        new("gm_bpref", MeasureKind.GeometricBpref),
        new("Rprec_mult", MeasureKind.RPrecisionMultiple, Shape.Points, "0.2,0.4,0.6,0.8,1.0,1.2,1.4,1.6,1.8,2.0"),
        new("utility", MeasureKind.Utility, Shape.Numbers, "1,-1,0,0"),
        new("11pt_avg", MeasureKind.MeanPrecisionAtRecall, Shape.Numbers, RecallPoints),
        new("binG", MeasureKind.BinaryGain),
        new("G", MeasureKind.NormalizedGain, Shape.Gains),
        new("dcg", MeasureKind.Dcg, Shape.Gains, InReports: false),
        new("ideal_dcg", MeasureKind.IdealDcg, Shape.Gains, InReports: false),
        new("ndcg", MeasureKind.Ndcg, Shape.Gains),
        new("ndcg_rel", MeasureKind.NdcgAtRelevant, Shape.Gains),
        new("Rndcg", MeasureKind.NdcgAtLevels, Shape.Gains),
        new("ndcg_cut", MeasureKind.Ndcg, Shape.Cutoffs, Cutoffs),
        new("map_cut", MeasureKind.AveragePrecision, Shape.Cutoffs, Cutoffs),
        new("relative_P", MeasureKind.RelativePrecision, Shape.Cutoffs, Cutoffs),
        new("success", MeasureKind.Success, Shape.Cutoffs, "1,5,10"),
        new("set_P", MeasureKind.SetPrecision),
        new("set_relative_P", MeasureKind.SetRelativePrecision),
        new("set_recall", MeasureKind.SetRecall),
        new("set_map", MeasureKind.SetMap),
        new("set_F", MeasureKind.SetF, Shape.Numbers, "1"),
        new("num_nonrel_judged_ret", MeasureKind.NonRelevantJudgedRetrievedCount),
        new("yaap", MeasureKind.Yaap, InReports: false),
        new("rbp", MeasureKind.RankBiasedPrecision, Shape.Gains, IsNew: true),
        new("rbp_resid", MeasureKind.RankBiasedPrecisionResidual, Shape.Gains, IsNew: true),
        new("unj", MeasureKind.Unjudged, Shape.Cutoffs, "5,10,20", IsNew: true),
    ];

    private enum Shape
    {
        Plain,

        /// <summary>One value for each whole number.</summary>
        Cutoffs,

        /// <summary>One value for each fraction.</summary>
        Points,

        /// <summary>One value that takes all the numbers.</summary>
        Numbers,

        /// <summary>One value that takes level=gain pairs; p= is a persistence.</summary>
        Gains,
    }

    public static IEnumerable<string> Names => Rows.Select(row => row.Name);

    /// <summary>The measures of a report, or null where that is no report's name.</summary>
    public static IReadOnlyList<Measure>? Named(string report, EvaluationSemantics semantics)
    {
        Func<Row, bool>? isIn = report switch
        {
            "official" => row => Array.IndexOf(Rows, row) <= Array.FindIndex(Rows, r => r.Name == "P"),
            "set" => row => row.Name is "runid" or "num_q" or "num_ret" or "num_rel" or "num_rel_ret" or "utility" || row.Name.StartsWith("set_", StringComparison.Ordinal),
            "all_trec" => row => row.InReports && (!row.IsNew || semantics == EvaluationSemantics.Trec10),
            _ => null,
        };
        return isIn is null ? null : [.. Rows.Where(isIn).SelectMany(row => Parse(row.Name, "", StringComparison.Ordinal)!)];
    }

    /// <summary>
    /// The measures of a name and its parameters, as after the first dot of trec_eval's -m; null for an unknown name or
    /// parameters that it does not take.
    /// </summary>
    public static IReadOnlyList<Measure>? Parse(string name, string parameters, StringComparison comparison)
    {
        if (Array.Find(Rows, row => string.Equals(row.Name, name, comparison)) is not { } row)
        {
            return null;
        }

        string[] parts = (parameters.Length > 0 ? parameters : row.Defaults).Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        string whole = parameters.Length > 0 ? $"{row.Name}_{parameters}" : row.Name;
        switch (row.Shape)
        {
            case Shape.Cutoffs:
                return All(parts, part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int cutoff) && cutoff > 0
                    ? new Measure(string.Create(CultureInfo.InvariantCulture, $"{row.Name}_{cutoff}"), row.Kind) { Cutoff = cutoff }
                    : null);
            case Shape.Points:
                return All(parts, part => Number(part) is { } point
                    ? new Measure(string.Create(CultureInfo.InvariantCulture, $"{row.Name}_{point:0.00}"), row.Kind) { Parameters = [point] }
                    : null);
            case Shape.Numbers:
                double?[] numbers = Array.ConvertAll(parts, Number);
                return numbers.Contains(null) || (row.Kind == MeasureKind.Utility && numbers.Length != 4) ? null : [new Measure(whole, row.Kind) { Parameters = [.. numbers.Select(n => n!.Value)] }];
            case Shape.Gains:
                return Gains(parts) is ({ } gains, var persistence) ? [new Measure(whole, row.Kind) { LevelGains = gains.Count > 0 ? gains : null, Parameters = persistence is { } p ? [p] : [] }] : null;
            default:
                return parameters.Length > 0 ? null : [new Measure(row.Name, row.Kind)];
        }
    }

    /// <summary>Where trec_eval prints a measure; after all of these for another's.</summary>
    public static int Place(Measure measure)
    {
        // The longest name that begins the measure's: ndcg_cut_10 is ndcg_cut's, not ndcg's.
        int place = Rows.Length;
        for (int i = 0, length = 0; i < Rows.Length; i++)
        {
            string name = Rows[i].Name;
            if (name.Length > length && Rows[i].Kind == measure.Kind && (measure.Name == name || measure.Name.StartsWith(name + "_", StringComparison.Ordinal)))
            {
                (place, length) = (i, name.Length);
            }
        }

        return place;
    }

    private static List<Measure>? All(string[] parts, Func<string, Measure?> parse)
    {
        Measure?[] measures = Array.ConvertAll(parts, part => parse(part));
        return measures.Contains(null) ? null : [.. measures.Select(measure => measure!)];
    }

    private static (Dictionary<int, double>? Gains, double? Persistence) Gains(string[] parts)
    {
        var gains = new Dictionary<int, double>();
        double? persistence = null;
        foreach (string part in parts)
        {
            if (part.Split('=') is not [var level, var text] || Number(text) is not { } value)
            {
                return (null, null);
            }

            if (level == "p")
            {
                persistence = value;
            }
            else if (!int.TryParse(level, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || !gains.TryAdd(number, value))
            {
                return (null, null);
            }
        }

        return (gains, persistence);
    }

    private static double? Number(string text) =>
        double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) ? value : null;

    private sealed record Row(string Name, MeasureKind Kind, Shape Shape = Shape.Plain, string Defaults = "", bool InReports = true, bool IsNew = false);
}
