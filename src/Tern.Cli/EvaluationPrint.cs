using Tern.Retrieval;

namespace Tern.Cli;

/// <summary>An evaluation as trec_eval's lines, a table or JSON, with what its averages are over.</summary>
internal sealed class EvaluationPrint(EvaluationReport report, EvaluationOptions options, int judgedTopicCount, string? selfMatches, string runTag)
{
    private readonly Measure[] _measures = [.. report.Measures.Where(measure => !measure.IsText)];

    /// <summary>Over which topics the averages are.</summary>
    public string Averaging => options.CompleteTopics
        ? $"mean over all {report.Topics.Count} judged topics; {report.MissingTopicCount} without results count as 0"
        : $"mean over the {report.Topics.Count} topics that are judged and in the run; {judgedTopicCount - report.Topics.Count} judged topics are not in it";

    /// <summary>By whose rules the documents stand in order.</summary>
    private string Rules => $"{(options.Semantics == EvaluationSemantics.Trec9 ? "trec_eval 9.0.8" : "trec_eval 10.0")}'s rules; "
        + (options.Ties ?? (options.Semantics == EvaluationSemantics.Trec9 ? TieOrder.Trec9 : TieOrder.Trec10)) switch
        {
            TieOrder.Trec9 => "order by score (float32), then id descending",
            TieOrder.Trec10 => "order by score (double), then id descending",
            TieOrder.Rank => "order by the rank column",
            _ => "order by score (float32), then id ascending",
        };

    public void Write(Terminal terminal, string format, bool perTopic, bool summary)
    {
        switch (format)
        {
            case "trec":
                WriteTrec(terminal, perTopic, summary);
                break;
            case "json":
                WriteJson(terminal.Out, perTopic, summary);
                break;
            default:
                WriteTable(terminal, format, perTopic, summary);
                break;
        }
    }

    // What is not trec_eval's goes to standard error: standard output is its, byte for byte.
    private void WriteTrec(Terminal terminal, bool perTopic, bool summary)
    {
        report.Write(terminal.Out, perTopic, summary);
        int missing = judgedTopicCount - report.Topics.Count;
        if (missing > 0)
        {
            terminal.Error.WriteLine($"note: {missing} of {judgedTopicCount} judged topics are not in the run and do not count; -c counts them as 0");
        }

        if (selfMatches is not null)
        {
            terminal.Error.WriteLine($"note: {selfMatches}");
        }
    }

    private void WriteTable(Terminal terminal, string format, bool perTopic, bool summary)
    {
        var table = new ResultTable([perTopic ? "topic" : "run", .. _measures.Select(measure => measure.Name)]);
        for (int t = 0; perTopic && t < report.Topics.Count; t++)
        {
            table.Add([report.Topics[t], .. _measures.Select(measure => measure.IsPerTopic ? EvaluationReport.Format(measure, report.PerTopic(measure)[t]) : "")]);
        }

        if (summary)
        {
            table.Add([perTopic ? $"all ({report.Topics.Count})" : runTag, .. _measures.Select(measure => EvaluationReport.Format(measure, report.Summary(measure)))]);
        }

        table.Write(terminal, format);
        string comment = format == "latex" ? "% " : "";
        if (format == "markdown")
        {
            terminal.Out.WriteLine();
        }

        foreach (string? line in new[] { Averaging, Rules, selfMatches })
        {
            if (line is not null)
            {
                terminal.Out.WriteLine(comment + line);
            }
        }
    }

    private void WriteJson(TextWriter output, bool perTopic, bool summary) => JsonOutput.Write(output, json =>
    {
        json.WriteNumber("topics", report.Topics.Count);
        json.WriteString("run", runTag);
        json.WriteString("averaging", Averaging);
        json.WriteString("rules", Rules);
        if (selfMatches is not null)
        {
            json.WriteString("identical_ids", selfMatches);
        }

        if (summary)
        {
            json.WriteStartObject("measures");
            foreach (Measure measure in _measures)
            {
                json.WriteNumber(measure.Name, report.Summary(measure));
            }

            json.WriteEndObject();
            WriteMteb(json);
        }

        if (!perTopic)
        {
            return;
        }

        json.WriteStartObject("per_topic");
        for (int t = 0; t < report.Topics.Count; t++)
        {
            json.WriteStartObject(report.Topics[t]);
            foreach (Measure measure in _measures.Where(measure => measure.IsPerTopic))
            {
                json.WriteNumber(measure.Name, report.PerTopic(measure)[t]);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    });

    /// <summary>The same values under the keys of BEIR's and MTEB's result files; the main score is nDCG@10.</summary>
    private void WriteMteb(System.Text.Json.Utf8JsonWriter json)
    {
        var keyed = _measures.Where(measure => measure.MtebKey is not null).DistinctBy(measure => measure.MtebKey).ToDictionary(measure => measure.MtebKey!, report.Summary);
        if (keyed.Count == 0)
        {
            return;
        }

        json.WriteStartObject("mteb");
        foreach ((string key, double value) in keyed)
        {
            json.WriteNumber(key, value);
        }

        if (keyed.TryGetValue("ndcg_at_10", out double main))
        {
            json.WriteNumber("main_score", main);
        }

        json.WriteEndObject();
    }
}
