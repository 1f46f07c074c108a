using System.Globalization;

namespace Tern.Retrieval;

/// <summary>Values of measures for each topic, topics in the order of their bytes, and over all topics.</summary>
public sealed class EvaluationReport
{
    private readonly double[][] _values; // [measure][topic]
    private readonly double[] _summaries;
    private readonly string[][] _texts; // [topic][relevance string]
    private readonly HashSet<string> _missing;
    private readonly EvaluationOptions _options;
    private readonly string _runTag;

    internal EvaluationReport(Measure[] measures, string[] topics, double[][] values, double[] summaries, string[][] texts, string[] missing, EvaluationOptions options, string runTag)
    {
        Measures = measures;
        Topics = topics;
        _values = values;
        _summaries = summaries;
        _texts = texts;
        _missing = [.. missing];
        _options = options;
        _runTag = runTag;
    }

    public IReadOnlyList<Measure> Measures { get; }

    /// <summary>The topics averaged over.</summary>
    public IReadOnlyList<string> Topics { get; }

    /// <summary>How many of these the run lacks: each counts as found nothing.</summary>
    public int MissingTopicCount => _missing.Count;

    /// <summary>Over all topics: a sum for counts, a geometric mean for gm_…, otherwise the mean.</summary>
    public double Summary(Measure measure) => _summaries[IndexOf(measure)];

    /// <summary>By name as it is reported.</summary>
    public double this[string measure] => Summary(Measures.FirstOrDefault(m => m.Name == measure) ?? throw new ArgumentException($"measure '{measure}' was not evaluated", nameof(measure)));

    /// <summary>One value a topic, in the order of <see cref="Topics"/>: what a paired test takes. gm_… gives logarithms.</summary>
    public IReadOnlyList<double> PerTopic(Measure measure) => _values[IndexOf(measure)];

    /// <summary>
    /// trec_eval's output, byte for byte: name, topic or "all", value; with each topic's lines first when asked (-q), and
    /// without the summary when not (-n). trec_eval 9 shows no topic that the run lacks.
    /// </summary>
    public void Write(TextWriter writer, bool perTopic = false, bool summary = true)
    {
        for (int t = 0; perTopic && t < Topics.Count; t++)
        {
            if (_options.Semantics == EvaluationSemantics.Trec9 && _missing.Contains(Topics[t]))
            {
                continue;
            }

            int text = 0;
            for (int m = 0; m < Measures.Count; m++)
            {
                switch (Measures[m])
                {
                    case { Kind: MeasureKind.RelevanceString }:
                        WriteLine(writer, Measures[m], Topics[t], $"'{_texts[t][text++]}'");
                        break;
                    case { IsPerTopic: true }:
                        WriteLine(writer, Measures[m], Topics[t], Format(Measures[m], _values[m][t]));
                        break;
                }
            }
        }

        for (int m = 0; summary && m < Measures.Count; m++)
        {
            if (Measures[m].Kind != MeasureKind.RelevanceString)
            {
                WriteLine(writer, Measures[m], "all", Measures[m].IsText ? _runTag : Format(Measures[m], _summaries[m]));
            }
        }
    }

    /// <summary>As trec_eval prints a value: counts whole, all else with four decimals.</summary>
    public static string Format(Measure measure, double value) => measure.IsCount ? value.ToString("0", CultureInfo.InvariantCulture) : FourDecimals(value);

    private static void WriteLine(TextWriter writer, Measure measure, string topic, string value) =>
        writer.Write(string.Create(CultureInfo.InvariantCulture, $"{measure.Name,-22}\t{topic}\t{value}\n"));

    /// <summary>As C prints "%.4f": of the exact binary value, and to even where it lies exactly between (1/32 is 0.0312).</summary>
    private static string FourDecimals(double value)
    {
        string rounded = value.ToString("F4", CultureInfo.InvariantCulture);

        // Only a multiple of 1/32 can lie exactly between.
        if (!double.IsInteger(value * 32))
        {
            return rounded;
        }

        string exact = value.ToString("F6", CultureInfo.InvariantCulture);
        int point = exact.IndexOf('.', StringComparison.Ordinal);
        bool isTie = exact.AsSpan(point + 5) is "50";
        return isTie && (exact[point + 4] - '0') % 2 == 0 ? exact[..(point + 5)] : rounded;
    }

    private int IndexOf(Measure measure)
    {
        for (int m = 0; m < Measures.Count; m++)
        {
            if (Measures[m] == measure)
            {
                return m;
            }
        }

        throw new ArgumentException($"measure '{measure.Name}' was not evaluated", nameof(measure));
    }
}
