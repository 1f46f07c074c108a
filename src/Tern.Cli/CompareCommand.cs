using System.CommandLine;
using Spectre.Console;
using Tern.Retrieval;

namespace Tern.Cli;

/// <summary><c>tern compare</c>: whether one run is better than another, topic by topic.</summary>
internal static class CompareCommand
{
    private const string DefaultMeasures = "nDCG@10 RR@10 R@100";

    public static Command Create(Terminal terminal)
    {
        var judgements = new EvaluationFlags();
        var qrels = new Argument<string>("qrels") { Description = "Judgements: TREC, BEIR or JSON." };
        var runA = new Argument<string>("run_a") { Description = "The run to compare with." };
        var runB = new Argument<string>("run_b") { Description = "The run that may be better." };
        var measures = new Argument<string[]>("measures") { Description = $"{DefaultMeasures}, unless given.", Arity = ArgumentArity.ZeroOrMore };
        Option<int> permutations = Flags.Count("--permutations", "Random sign flips of the test.", RandomizationTest.DefaultPermutations);
        Option<int> seed = Flags.Count("--seed", "Of these flips.", 1, least: 0);
        Option<bool> json = Flags.Json("the comparison");
        var command = new Verb("compare", "Compares two runs topic by topic with a paired randomisation test.")
        {
            Examples = ["tern compare qrels.txt bm25.trec sparse.trec", "tern compare -c qrels.txt a.trec b.trec nDCG@10 --json"],
        };
        command.Add(qrels);
        command.Add(runA);
        command.Add(runB);
        command.Add(measures);
        judgements.AddTo(command);
        foreach (Option option in new Option[] { permutations, seed, json })
        {
            command.Add(option);
        }

        command.SetAction((parsed, _) =>
        {
            string names = string.Join(' ', parsed.GetValue(measures) ?? []);
            IReadOnlyList<Measure> asked = Measure.ParseList(names.Length == 0 ? DefaultMeasures : names);
            string qrelsPath = parsed.GetRequiredValue(qrels);
            Qrels judged = Qrels.Read(qrelsPath);
            Run a = Run.Read(parsed.GetRequiredValue(runA));
            Run b = Run.Read(parsed.GetRequiredValue(runB));
            EvaluationOptions options = judgements.Read(parsed);

            // A topic that only one run answers counts as found nothing in the other; otherwise topics would not pair up.
            if (!options.CompleteTopics)
            {
                judged = judged.Restrict(topic => a.Contains(topic) || b.Contains(topic));
                options = options with { CompleteTopics = true };
            }

            if (judged.Topics.Count == 0)
            {
                throw new InvalidDataException($"no topic of the two runs is judged in {qrelsPath}");
            }

            EvaluationReport first = TrecEval.Evaluate(judged, a, asked, options);
            EvaluationReport second = TrecEval.Evaluate(judged, b, asked, options);
            Row[] rows = [.. asked.Select(m => new Row(m, first.Summary(m), second.Summary(m), RandomizationTest.Paired(second, first, m, parsed.GetValue(permutations), (ulong)parsed.GetValue(seed))))];
            if (parsed.GetValue(json))
            {
                WriteJson(terminal.Out, rows, first.Topics.Count);
            }
            else
            {
                WriteTable(terminal, rows, first.Topics.Count);
            }

            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static Qrels Restrict(this Qrels qrels, Func<string, bool> keep)
    {
        var kept = new Qrels();
        foreach (string topic in qrels.Topics.Where(keep))
        {
            foreach ((string document, int level) in qrels[topic])
            {
                kept.Add(topic, document, level);
            }
        }

        return kept;
    }

    private static void WriteTable(Terminal terminal, Row[] rows, int topicCount)
    {
        var table = new Table { Border = terminal.OutIsTerminal ? TableBorder.Rounded : TableBorder.None };
        table.AddColumn("measure");
        foreach (string column in new[] { "A", "B", "B - A", "95 % interval", "p", "B wins", "B loses", "ties" })
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        foreach (Row row in rows)
        {
            PairedComparison paired = row.Paired;
            table.AddRow(
                row.Measure.Name.EscapeMarkup(),
                Invariant($"{row.A:0.0000}"),
                Invariant($"{row.B:0.0000}"),
                Invariant($"{paired.MeanDifference:+0.0000;-0.0000;0.0000}"),
                Invariant($"{paired.IntervalLow:+0.0000;-0.0000;0.0000} .. {paired.IntervalHigh:+0.0000;-0.0000;0.0000}"),
                paired.PValue < 0.0001 ? "<0.0001" : Invariant($"{paired.PValue:0.0000}"),
                Invariant($"{paired.Wins}"),
                Invariant($"{paired.Losses}"),
                Invariant($"{paired.Ties}"));
        }

        terminal.OutConsole.Write(table);
        terminal.Out.WriteLine($"{topicCount} topics; p: paired randomisation test, two-sided");
    }

    private static void WriteJson(TextWriter output, Row[] rows, int topicCount) => JsonOutput.Write(output, json =>
    {
        json.WriteNumber("topics", topicCount);
        json.WriteArray("measures", rows, row =>
        {
            json.WriteStartObject();
            json.WriteString("measure", row.Measure.Name);
            json.WriteNumber("a", row.A);
            json.WriteNumber("b", row.B);
            json.WriteNumber("difference", row.Paired.MeanDifference);
            json.WriteNumber("interval_low", row.Paired.IntervalLow);
            json.WriteNumber("interval_high", row.Paired.IntervalHigh);
            json.WriteNumber("p", row.Paired.PValue);
            json.WriteNumber("wins", row.Paired.Wins);
            json.WriteNumber("losses", row.Paired.Losses);
            json.WriteNumber("ties", row.Paired.Ties);
            json.WriteEndObject();
        });
    });

    private sealed record Row(Measure Measure, double A, double B, PairedComparison Paired);
}
