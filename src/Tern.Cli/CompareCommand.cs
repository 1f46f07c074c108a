using System.CommandLine;
using Tern.Retrieval;

namespace Tern.Cli;

/// <summary><c>tern compare</c>: whether one run is better than another, topic by topic.</summary>
internal static class CompareCommand
{
    private const string DefaultMeasures = "nDCG@10 RR@10 R@100";

    public static Command Create(Terminal terminal)
    {
        var judgements = new EvaluationFlags();
        var qrels = new Argument<string>("qrels") { Description = "Judgements: TREC, MS MARCO, BEIR or {topic: {document: level}}." };
        var runA = new Argument<string>("run_a") { Description = "The run to compare with." };
        var runB = new Argument<string>("run_b") { Description = "The run that may be better." };
        var more = new Argument<string[]>("more") { Description = $"Further runs (files), and measures: {DefaultMeasures}, unless given.", Arity = ArgumentArity.ZeroOrMore };
        var perTopic = new Option<bool>("-q") { Description = "Show every topic, too." };
        Option<string> pairs = Flags.Choice("--pairs", "Compare with the first run alone, or every run with every other.", "first", "first", "all");
        Option<int> permutations = Flags.Count("--permutations", "Random sign flips of the test.", RandomizationTest.DefaultPermutations);
        Option<int> seed = Flags.Count("--seed", "Of these flips and of the bootstrap.", 1, least: 0);
        Option<string> format = Flags.Choice("--format", "How to print.", "table", "table", "markdown", "latex", "json");
        Option<bool> json = Flags.Json("the comparison");
        var command = new Verb("compare", "Compares runs topic by topic with paired randomisation tests and bootstrap intervals.")
        {
            Notes = """
                p is two-sided, from random sign flips of the topics' differences; p (Holm) is corrected for all the
                comparisons shown, runs times measures. The interval is of the mean difference, from topics drawn
                with replacement. Topics: those that are judged and in any of the runs (-c: all judged); a run that
                lacks one found nothing there.
                """,
            Examples =
            [
                "tern compare qrels.txt bm25.trec sparse.trec",
                "tern compare -c qrels.txt bm25.trec dense.trec sparse.trec nDCG@10 RR@10",
                "tern compare qrels.txt a.trec b.trec c.trec --pairs all --format latex",
                "tern compare -q qrels.txt a.trec b.trec nDCG@10 --json",
            ],
        };
        command.Add(qrels);
        command.Add(runA);
        command.Add(runB);
        command.Add(more);
        judgements.AddTo(command);
        foreach (Option option in new Option[] { perTopic, pairs, permutations, seed, format, json })
        {
            command.Add(option);
        }

        command.SetAction((parsed, _) =>
        {
            string[] rest = parsed.GetValue(more) ?? [];
            string[] paths = [parsed.GetRequiredValue(runA), parsed.GetRequiredValue(runB), .. rest.Where(IsFile)];
            IReadOnlyList<Measure> asked = judgements.ReadMeasures(parsed, [.. rest.Where(word => !IsFile(word))], DefaultMeasures);
            if (asked.FirstOrDefault(measure => !measure.IsPerTopic || measure.IsText) is { } unfit)
            {
                throw new UsageException($"{unfit.Name} has no value for a topic and cannot be compared");
            }

            string qrelsPath = parsed.GetRequiredValue(qrels);
            Qrels judged = judgements.ReadQrels(parsed, qrelsPath);
            (Run Run, string? Note)[] read = Array.ConvertAll(paths, path => judgements.ReadRun(parsed, path, judged));
            EvaluationOptions options = judgements.Read(parsed);

            // A topic that only one run answers counts as found nothing in the other; otherwise topics would not pair up.
            if (!options.CompleteTopics)
            {
                judged = judged.Restrict(topic => read.Any(r => r.Run.Contains(topic)));
                options = options with { CompleteTopics = true };
            }

            if (judged.Topics.Count == 0)
            {
                throw new InvalidDataException($"no topic of the {paths.Length} runs is judged in {qrelsPath}");
            }

            EvaluationReport[] reports = Array.ConvertAll(read, r => TrecEval.Evaluate(judged, r.Run, asked, options));
            var comparison = new RunComparison(Labels(paths), reports, parsed.GetRequiredValue(pairs) == "all", parsed.GetValue(permutations), (ulong)parsed.GetValue(seed));
            comparison.Write(terminal, parsed.GetValue(json) ? "json" : parsed.GetRequiredValue(format), parsed.GetValue(perTopic));
            foreach (string note in read.Select(r => r.Note).OfType<string>())
            {
                terminal.Error.WriteLine($"note: {note}");
            }

            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static bool IsFile(string word) => word == "-" || word.AsSpan().IndexOfAny('/', '\\') >= 0 || File.Exists(word);

    /// <summary>File names, and whole paths where two are the same.</summary>
    private static string[] Labels(string[] paths) =>
        Array.ConvertAll(paths, path => paths.Count(other => Path.GetFileName(other) == Path.GetFileName(path)) == 1 ? Path.GetFileName(path) : path);

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
}
