using System.Globalization;

namespace Tern.Retrieval;

/// <summary>trec_eval's options; the letters are its own.</summary>
public sealed record EvaluationOptions
{
    /// <summary>-c: average over all topics of the qrels; those without results count as found nothing.</summary>
    public bool CompleteTopics { get; init; }

    /// <summary>-l: the least level that is relevant (nDCG uses the levels themselves).</summary>
    public int RelevanceLevel { get; init; } = 1;

    /// <summary>-M: only so many documents of each topic.</summary>
    public int? MaxDocuments { get; init; }

    /// <summary>-J: drop documents without a judgement before anything else.</summary>
    public bool JudgedDocumentsOnly { get; init; }
}

/// <summary>
/// Evaluates a run as trec_eval does: scores as float32, ties by document id descending in bytes, the rank column ignored.
/// Without <see cref="EvaluationOptions.CompleteTopics"/> it averages over topics that are in both files, as trec_eval 9;
/// trec_eval 10 stops there when one is missing from the run.
/// </summary>
public static class TrecEval
{
    public static EvaluationReport Evaluate(Qrels qrels, Run run, IEnumerable<Measure> measures, EvaluationOptions? options = null)
    {
        options ??= new EvaluationOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.RelevanceLevel, 1);
        run.CheckDuplicates();
        string[] topics = [.. qrels.Topics.Where(topic => options.CompleteTopics || run.Contains(topic)).Order(StringComparer.Ordinal)];
        Measure[] list = [.. measures];
        var values = new double[list.Length][];
        for (int m = 0; m < list.Length; m++)
        {
            values[m] = new double[topics.Length];
        }

        for (int t = 0; t < topics.Length; t++)
        {
            var ranking = new JudgedRanking(qrels[topics[t]], run[topics[t]], options);
            for (int m = 0; m < list.Length; m++)
            {
                values[m][t] = ranking.Compute(list[m], options.RelevanceLevel);
            }
        }

        double[] summaries = [.. list.Select((measure, m) => Summarize(measure, values[m], qrels, options))];
        return new EvaluationReport(list, topics, values, summaries);
    }

    private static double Summarize(Measure measure, double[] values, Qrels qrels, EvaluationOptions options)
    {
        if (measure.Kind == MeasureKind.RelevantCount && options.CompleteTopics)
        {
            // trec_eval counts all positive levels here, whatever -l says.
            return qrels.Topics.Sum(topic => qrels[topic].Values.Count(level => level > 0));
        }

        double sum = values.Sum();
        return measure switch
        {
            { IsCount: true } => sum,
            _ when values.Length == 0 => 0,
            { IsGeometric: true } => Math.Exp(sum / values.Length),
            _ => sum / values.Length,
        };
    }
}

/// <summary>Values of measures for each topic, topics in ordinal order, and over all topics.</summary>
public sealed class EvaluationReport
{
    private readonly double[][] _values; // [measure][topic]
    private readonly double[] _summaries;

    internal EvaluationReport(Measure[] measures, string[] topics, double[][] values, double[] summaries)
    {
        Measures = measures;
        Topics = topics;
        _values = values;
        _summaries = summaries;
    }

    public IReadOnlyList<Measure> Measures { get; }

    /// <summary>The topics averaged over.</summary>
    public IReadOnlyList<string> Topics { get; }

    /// <summary>Over all topics: a sum for counts, a geometric mean for gm_…, otherwise the mean.</summary>
    public double Summary(Measure measure) => _summaries[IndexOf(measure)];

    /// <summary>By name as it was asked for.</summary>
    public double this[string measure] => Summary(Measures.FirstOrDefault(m => m.Name == measure) ?? throw new ArgumentException($"measure '{measure}' was not evaluated", nameof(measure)));

    /// <summary>One value a topic, in the order of <see cref="Topics"/>: what a paired test takes. gm_… gives logarithms.</summary>
    public IReadOnlyList<double> PerTopic(Measure measure) => _values[IndexOf(measure)];

    /// <summary>trec_eval's output: name, topic or "all", value; with each topic's lines first when asked (-q).</summary>
    public void Write(TextWriter writer, bool perTopic = false, string? runTag = null)
    {
        for (int t = 0; perTopic && t < Topics.Count; t++)
        {
            for (int m = 0; m < Measures.Count; m++)
            {
                if (!Measures[m].IsGeometric && Measures[m].Kind != MeasureKind.TopicCount)
                {
                    WriteLine(writer, Measures[m], Topics[t], _values[m][t]);
                }
            }
        }

        if (runTag is not null)
        {
            writer.Write($"{"runid",-22}\tall\t{runTag}\n");
        }

        for (int m = 0; m < Measures.Count; m++)
        {
            WriteLine(writer, Measures[m], "all", _summaries[m]);
        }
    }

    private static void WriteLine(TextWriter writer, Measure measure, string topic, double value) =>
        writer.Write(string.Create(CultureInfo.InvariantCulture, $"{measure.Name,-22}\t{topic}\t{(measure.IsCount ? value.ToString("0", CultureInfo.InvariantCulture) : FourDecimals(value))}\n"));

    /// <summary>As C prints "%.4f": of the exact binary value, and to even where it lies exactly between (1/32 is 0.0312).</summary>
    private static string FourDecimals(double value)
    {
        string rounded = value.ToString("F4", CultureInfo.InvariantCulture);
        string exact = value.ToString("F40", CultureInfo.InvariantCulture);
        int point = exact.IndexOf('.', StringComparison.Ordinal);
        bool isTie = exact[point + 5] == '5' && exact.AsSpan(point + 6).TrimStart('0').IsEmpty;
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
