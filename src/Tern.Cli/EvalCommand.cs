using System.CommandLine;
using Tern.Retrieval;

namespace Tern.Cli;

/// <summary><c>tern eval</c>: measures a run as trec_eval does, with its options and its output; or searches and measures a suite of datasets.</summary>
internal static class EvalCommand
{
    public static Command Create(Terminal terminal)
    {
        var judgements = new EvaluationFlags();
        var suite = new SuiteEvaluation();
        var qrels = new Argument<string?>("qrels") { Description = "Judgements: TREC, MS MARCO, BEIR or {topic: {document: level}}.", Arity = ArgumentArity.ZeroOrOne };
        var run = new Argument<string?>("run") { Description = "The run: TREC, MS MARCO, Tevatron, or {topic: {document: score}}; .gz and .lz4 too; - for standard input.", Arity = ArgumentArity.ZeroOrOne };
        var measures = new Argument<string[]>("measures") { Description = "Such as nDCG@10 RR@10 R@100 'P(rel=2)@5', or trec_eval's names; its usual report unless given.", Arity = ArgumentArity.ZeroOrMore };
        var perTopic = new Option<bool>("-q") { Description = "Show every topic, too." };
        var noSummary = new Option<bool>("-n") { Description = "Leave out the line over all topics." };
        Option<string> format = Flags.Choice("--format", "How to print.", "trec", "trec", "table", "markdown", "latex", "json");
        Option<bool> json = Flags.Json("the values");
        var command = new Verb("eval", "Measures a run against judgements, as trec_eval does; or a model on a suite of datasets.")
        {
            Notes = """
                nDCG takes the level as its gain, as trec_eval does; nDCG(dcg=exp-log2)@10 takes 2^level-1, as gdeval,
                and nDCG(dcg=binary)@10 relevant or not, as sentence-transformers. R_cap@k divides by at most k.
                Without -c the average is over the topics that are in both files (--semantics trec10 refuses a run
                that lacks a judged topic, as trec_eval 10.0 does); with -c over all judged topics.

                With --suite every directory in BEIR's layout is encoded, indexed, searched and measured over all its
                judged topics; each leaves NAME.json in MTEB's layout and its run, the whole summary.json, .md and .tex.
                Documents of their topic's own id are dropped where the topics are documents, as in ArguAna.
                """,
            Examples =
            [
                "tern eval qrels.txt run.trec",
                "tern eval -c -M 10 -m recip_rank qrels.dev.tsv run.trec",
                "tern eval -q -m all_trec --semantics trec10 qrels.txt run.trec",
                "tern eval beir/scifact/qrels/test.tsv run.json nDCG@10 R@100 R_cap@100 --format table",
                "tern eval --suite beir --model models/sparse --output results/sparse",
                "tern eval --suite beir --bm25 --output results/bm25 --only scifact --only nfcorpus",
            ],
        };
        command.Add(qrels);
        command.Add(run);
        command.Add(measures);
        command.Aliases.Add("evaluate");
        judgements.AddTo(command);
        suite.AddTo(command);
        foreach (Option option in new Option[] { perTopic, noSummary, format, json })
        {
            command.Add(option);
        }

        command.SetAction((parsed, cancellation) =>
        {
            string chosen = parsed.GetValue(json) ? "json" : parsed.GetRequiredValue(format);
            if (suite.IsAsked(parsed))
            {
                return Task.FromResult(suite.Run(terminal, parsed, [.. new[] { parsed.GetValue(qrels), parsed.GetValue(run) }.OfType<string>(), .. parsed.GetValue(measures) ?? []], chosen, cancellation));
            }

            EvaluationOptions options = judgements.Read(parsed);
            IReadOnlyList<Measure> asked = judgements.ReadMeasures(parsed, parsed.GetValue(measures) ?? [], "official");
            string qrelsPath = parsed.GetValue(qrels) ?? throw new UsageException("tern eval needs <qrels> and <run>, or --suite (tern eval --help)");
            string runPath = parsed.GetValue(run) ?? throw new UsageException("tern eval needs <run> (tern eval --help)");
            Qrels judged = judgements.ReadQrels(parsed, qrelsPath);
            (Run ranked, string? selfMatches) = judgements.ReadRun(parsed, runPath, judged);
            int missing = judged.Topics.Count(topic => !ranked.Contains(topic));
            if (missing == judged.Topics.Count)
            {
                throw new InvalidDataException($"{runPath}: none of its {ranked.Topics.Count} topics is judged in {qrelsPath}");
            }

            if (missing > 0 && !options.CompleteTopics && options.Semantics == EvaluationSemantics.Trec10)
            {
                throw new InvalidDataException($"{runPath}: {missing} of {judged.Topics.Count} judged topics are missing, the first is '{judged.Topics.First(topic => !ranked.Contains(topic))}'; trec_eval 10 stops here: -c counts them as 0, --semantics trec9 leaves them out");
            }

            var output = new EvaluationPrint(TrecEval.Evaluate(judged, ranked, asked, options), options, judged.Topics.Count, selfMatches, ranked.Tag);
            output.Write(terminal, chosen, parsed.GetValue(perTopic), !parsed.GetValue(noSummary));
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }
}
