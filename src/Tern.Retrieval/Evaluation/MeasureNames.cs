using System.Globalization;
using System.Text.RegularExpressions;

namespace Tern.Retrieval;

/// <summary>Reads the names of measures as ir_measures, BEIR and trec_eval write them.</summary>
internal static partial class MeasureNames
{
    private static readonly Dictionary<string, (MeasureKind Kind, Cut Cut)> Field = new(StringComparer.OrdinalIgnoreCase)
    {
        ["nDCG"] = (MeasureKind.Ndcg, Cut.Optional),
        ["nDCG_burges"] = (MeasureKind.Ndcg, Cut.Optional),
        ["AP"] = (MeasureKind.AveragePrecision, Cut.Optional),
        ["MAP"] = (MeasureKind.AveragePrecision, Cut.Optional),
        ["RR"] = (MeasureKind.ReciprocalRank, Cut.Optional),
        ["MRR"] = (MeasureKind.ReciprocalRank, Cut.Optional),
        ["P"] = (MeasureKind.Precision, Cut.Required),
        ["Precision"] = (MeasureKind.Precision, Cut.Required),
        ["R"] = (MeasureKind.Recall, Cut.Required),
        ["Recall"] = (MeasureKind.Recall, Cut.Required),
        ["R_cap"] = (MeasureKind.CappedRecall, Cut.Required),
        ["Success"] = (MeasureKind.Success, Cut.Required),
        ["Accuracy"] = (MeasureKind.Success, Cut.Required),
        ["ndcg_cut"] = (MeasureKind.Ndcg, Cut.Required),
        ["map_cut"] = (MeasureKind.AveragePrecision, Cut.Required),
        ["relative_P"] = (MeasureKind.RelativePrecision, Cut.Required),
        ["unj"] = (MeasureKind.Unjudged, Cut.Required),
        ["Judged"] = (MeasureKind.Judged, Cut.Required),
        ["ERR"] = (MeasureKind.ExpectedReciprocalRank, Cut.Required),
        ["IPrec"] = (MeasureKind.PrecisionAtRecall, Cut.Fraction),
        ["RBP"] = (MeasureKind.RankBiasedPrecision, Cut.None),
        ["Rprec"] = (MeasureKind.RPrecision, Cut.None),
        ["Bpref"] = (MeasureKind.Bpref, Cut.None),
        ["infAP"] = (MeasureKind.InferredAveragePrecision, Cut.None),
        ["SetP"] = (MeasureKind.SetPrecision, Cut.None),
        ["SetRelP"] = (MeasureKind.SetRelativePrecision, Cut.None),
        ["SetR"] = (MeasureKind.SetRecall, Cut.None),
        ["SetAP"] = (MeasureKind.SetMap, Cut.None),
        ["SetF"] = (MeasureKind.SetF, Cut.None),
        ["NumQ"] = (MeasureKind.TopicCount, Cut.None),
        ["NumRet"] = (MeasureKind.RetrievedCount, Cut.None),
        ["NumRel"] = (MeasureKind.RelevantCount, Cut.None),
        ["NumRelRet"] = (MeasureKind.RelevantRetrievedCount, Cut.None),
    };

    private enum Cut
    {
        None,
        Optional,
        Required,
        Fraction,
    }

    public static IReadOnlyList<Measure> Parse(string names, EvaluationSemantics semantics)
    {
        var measures = new List<Measure>();
        foreach (string item in EvaluationInput.Fields(names))
        {
            foreach ((string name, string numbers) in Split(item))
            {
                measures.AddRange(
                    TrecMeasures.Named(name, semantics)
                    ?? InTrecsWay(name, numbers, StringComparison.Ordinal)
                    ?? InTheFieldsWay(name, numbers)
                    ?? InTrecsWay(name, numbers, StringComparison.OrdinalIgnoreCase)
                    ?? throw Unknown(name + numbers));
            }
        }

        return measures;
    }

    public static ArgumentException Unknown(string name) => new(
        $"unknown measure '{name}'; there are {string.Join(" ", Field.Select(entry => entry.Key + (entry.Value.Cut is Cut.Required ? "@k" : entry.Value.Cut is Cut.Optional ? "[@k]" : "")))}, "
        + $"each also with (rel=n), and trec_eval's {string.Join(" ", TrecMeasures.Names)}, with cut-offs as in P.5,10 or P_5");

    /// <summary>Parts an item at commas; numbers after a comma stay with the name before them, of which they are parted.</summary>
    private static IEnumerable<(string Name, string Numbers)> Split(string item)
    {
        string name = "";
        var numbers = new List<string>();
        foreach (string part in OutsideParentheses().Split(item))
        {
            if (name.Length > 0 && part.Length > 0 && (char.IsAsciiDigit(part[0]) || part[0] is '-' or '.') && !part.StartsWith("11pt", StringComparison.OrdinalIgnoreCase))
            {
                numbers.Add(part);
                continue;
            }

            if (name.Length > 0)
            {
                yield return (name, string.Join(',', numbers));
            }

            numbers.Clear();
            Match first = EndsInNumbers().Match(part);
            name = first.Success ? first.Groups["name"].Value : part;
            if (first.Success)
            {
                numbers.Add(first.Groups["number"].Value);
            }
        }

        yield return (name, string.Join(',', numbers));
    }

    private static IReadOnlyList<Measure>? InTrecsWay(string name, string numbers, StringComparison comparison) => name switch
    {
        [.. var stem, '.' or '_'] when numbers.Length > 0 => TrecMeasures.Parse(stem, numbers, comparison),
        _ when numbers.Length == 0 => TrecMeasures.Parse(name, "", comparison),
        _ => null,
    };

    private static List<Measure>? InTheFieldsWay(string name, string numbers)
    {
        var measures = new List<Measure>();
        foreach (string number in numbers.Length > 0 ? numbers.Split(',') : [""])
        {
            if (Shape().Match(name) is not { Success: true } match || match.Groups["at"].Success != number.Length > 0
                || !Field.TryGetValue(match.Groups["stem"].Value, out (MeasureKind Kind, Cut Cut) found))
            {
                return null;
            }

            var measure = new Measure(name + number, found.Kind)
            {
                Gain = match.Groups["stem"].Value.EndsWith("burges", StringComparison.OrdinalIgnoreCase) ? GainFunction.Exponential : GainFunction.Linear,
                Parameters = found.Kind switch { MeasureKind.SetF => [1], MeasureKind.RankBiasedPrecision => [0.8], _ => [] },
            };
            if (found.Cut == Cut.Fraction)
            {
                if (!double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double fraction))
                {
                    return null;
                }

                measure = measure with { Parameters = [fraction] };
            }
            else if (number.Length > 0)
            {
                if (found.Cut == Cut.None || !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int cutoff) || cutoff < 1)
                {
                    return null;
                }

                measure = measure with { Cutoff = cutoff };
            }
            else if (found.Cut == Cut.Required)
            {
                return null;
            }

            foreach (string argument in match.Groups["arguments"].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                measure = WithArgument(measure, argument) ?? throw new ArgumentException($"measure '{name}{number}' does not take '{argument}'; there are rel=n, for nDCG dcg=log2, dcg=exp-log2 and dcg=binary, for RBP p=x, for SetF beta=x");
            }

            measures.Add(measure);
        }

        return measures;
    }

    private static Measure? WithArgument(Measure measure, string argument)
    {
        string[] pair = argument.Split('=', 2, StringSplitOptions.TrimEntries);
        string value = pair[^1].Trim('\'', '"');
        bool isNumber = double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number);
        return (pair[0], measure.Kind, value) switch
        {
            ("rel", _, _) when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int level) && level > 0 => measure with { RelevanceLevel = level },
            ("dcg", MeasureKind.Ndcg, "log2") => measure with { Gain = GainFunction.Linear },
            ("dcg", MeasureKind.Ndcg, "exp-log2" or "exp") => measure with { Gain = GainFunction.Exponential },
            ("dcg", MeasureKind.Ndcg, "binary") => measure with { Gain = GainFunction.Binary },
            ("p", MeasureKind.RankBiasedPrecision, _) when isNumber && number < 1 => measure with { Parameters = [number] },
            ("beta", MeasureKind.SetF, _) when isNumber => measure with { Parameters = [number] },
            _ => null,
        };
    }

    [GeneratedRegex(@",(?![^(]*\))", RegexOptions.CultureInvariant)]
    private static partial Regex OutsideParentheses();

    // A name up to and with its @, dot or underscore, then what is a number or a pair such as 1=3.5.
    [GeneratedRegex(@"^(?<name>[A-Za-z0-9_]*?[A-Za-z](\([^)]*\))?([@_]|\.))(?<number>-?[0-9.]+(=[-0-9.]+)?|p=[0-9.]+)$", RegexOptions.CultureInvariant)]
    private static partial Regex EndsInNumbers();

    // stem, then (arguments), then @ (BEIR: _at_), which asks for a number.
    [GeneratedRegex(@"^(?<stem>[A-Za-z_]+?)(\((?<arguments>[^)]*)\))?(?<at>@|_at_)?$", RegexOptions.CultureInvariant)]
    private static partial Regex Shape();
}
