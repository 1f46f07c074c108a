using System.CommandLine;
using Spectre.Console;
using Tern.Retrieval;

namespace Tern.Cli;

/// <summary><c>tern eval</c>: measures a run as trec_eval does, with its options and its output.</summary>
internal static class EvalCommand
{
    public static Command Create(Terminal terminal)
    {
        var judgements = new EvaluationFlags();
        var qrels = new Argument<string>("qrels") { Description = "Judgements: TREC, BEIR or JSON." };
        var run = new Argument<string>("run") { Description = "The run: TREC, MS MARCO, or {topic: {document: score}}; - for standard input." };
        var measures = new Argument<string[]>("measures") { Description = "Such as nDCG@10 RR@10 R@100 'P(rel=2)@5', or trec_eval's names; its usual report unless given.", Arity = ArgumentArity.ZeroOrMore };
        var trecMeasures = new Option<string[]>("-m") { Description = "A measure in trec_eval's way, such as ndcg_cut.10,20; may be repeated.", HelpName = "name" };
        var perTopic = new Option<bool>("-q") { Description = "Show every topic, too." };
        Option<string> format = Flags.Choice("--format", "How to print.", "trec", "trec", "table", "json");
        Option<bool> json = Flags.Json("the values");
        var command = new Verb("eval", "Measures a run against judgements, as trec_eval does.")
        {
            Examples =
            [
                "tern eval qrels.txt run.trec",
                "tern eval -c -M 10 -m recip_rank qrels.dev.tsv run.trec",
                "tern eval beir/scifact/qrels/test.tsv run.trec nDCG@10 R@100 --format table",
            ],
        };
        command.Add(qrels);
        command.Add(run);
        command.Add(measures);
        command.Add(trecMeasures);
        judgements.AddTo(command);
        foreach (Option option in new Option[] { perTopic, format, json })
        {
            command.Add(option);
        }

        command.SetAction((parsed, _) =>
        {
            string names = string.Join(' ', [.. parsed.GetValue(measures) ?? [], .. parsed.GetValue(trecMeasures) ?? []]);
            bool isDefault = names.Length == 0 || names == "official";
            IReadOnlyList<Measure> asked = isDefault ? Measure.TrecDefault : Measure.ParseList(names);
            string qrelsPath = parsed.GetRequiredValue(qrels);
            string runPath = parsed.GetRequiredValue(run);
            Qrels judged = Qrels.Read(qrelsPath);
            Run ranked = Run.Read(runPath);
            EvaluationOptions options = judgements.Read(parsed);
            int missing = judged.Topics.Count(topic => !ranked.Contains(topic));
            if (missing == judged.Topics.Count)
            {
                throw new InvalidDataException($"{runPath}: none of its {ranked.Topics.Count} topics is judged in {qrelsPath}");
            }

            EvaluationReport report = TrecEval.Evaluate(judged, ranked, asked, options);
            string chosen = parsed.GetValue(json) ? "json" : parsed.GetRequiredValue(format);
            switch (chosen)
            {
                case "json":
                    WriteJson(terminal.Out, report, parsed.GetValue(perTopic));
                    break;
                case "table":
                    WriteTable(terminal, report, parsed.GetValue(perTopic));
                    break;
                default:
                    report.Write(terminal.Out, parsed.GetValue(perTopic), isDefault ? ranked.Tag : null);
                    break;
            }

            if (missing > 0 && !options.CompleteTopics)
            {
                terminal.Error.WriteLine($"note: {missing} of {judged.Topics.Count} judged topics are not in {runPath} and do not count; -c counts them as 0");
            }

            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static void WriteTable(Terminal terminal, EvaluationReport report, bool perTopic)
    {
        var table = new Table { Border = terminal.OutIsTerminal ? TableBorder.Rounded : TableBorder.None };
        table.AddColumn("topic");
        foreach (Measure measure in report.Measures)
        {
            table.AddColumn(new TableColumn(measure.Name.EscapeMarkup()).RightAligned());
        }

        for (int t = 0; perTopic && t < report.Topics.Count; t++)
        {
            table.AddRow([report.Topics[t].EscapeMarkup(), .. report.Measures.Select(m => Value(m, report.PerTopic(m)[t]))]);
        }

        table.AddRow([$"[bold]all ({report.Topics.Count})[/]", .. report.Measures.Select(m => $"[bold]{Value(m, report.Summary(m))}[/]")]);
        terminal.OutConsole.Write(table);
    }

    private static string Value(Measure measure, double value) => measure.IsCount ? Invariant($"{value:0}") : Invariant($"{value:0.0000}");

    private static void WriteJson(TextWriter output, EvaluationReport report, bool perTopic) => JsonOutput.Write(output, json =>
    {
        json.WriteNumber("topics", report.Topics.Count);
        json.WriteStartObject("measures");
        foreach (Measure measure in report.Measures)
        {
            json.WriteNumber(measure.Name, report.Summary(measure));
        }

        json.WriteEndObject();
        if (!perTopic)
        {
            return;
        }

        json.WriteStartObject("per_topic");
        for (int t = 0; t < report.Topics.Count; t++)
        {
            json.WriteStartObject(report.Topics[t]);
            foreach (Measure measure in report.Measures)
            {
                json.WriteNumber(measure.Name, report.PerTopic(measure)[t]);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    });
}
