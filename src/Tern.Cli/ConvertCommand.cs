using System.CommandLine;
using Tern.Retrieval;

namespace Tern.Cli;

/// <summary><c>tern data convert</c>: a run or judgements in another tool's layout.</summary>
internal static class ConvertCommand
{
    public static Verb Create(Terminal terminal)
    {
        var input = new Argument<string>("input") { Description = "A run or judgements in any layout; - for standard input." };
        var output = new Argument<string>("output") { Description = "The file to write; gzip'd where it ends in .gz." };
        Option<string> kind = Flags.Choice("--as", "What the file holds.", null, "run", "qrels");
        Option<string> from = Flags.Choice("--from", "The input's layout, where its content does not tell.", "auto", "auto", "trec", "msmarco", "tevatron", "beir", "json");
        Option<string> to = Flags.Choice("--to", "The output's layout; auto: JSON where its name ends in .json, TREC else.", "auto", "auto", "trec", "msmarco", "tevatron", "beir", "json");
        Option<string> ties = RunFlags.Ties("The order in which a run's documents are written; auto is trec9.");
        var perturb = new Option<bool>("--perturb") { Description = "Write scores without ties, rounded to 1e-4 and 1e-6 less for each tie as Anserini does, so that every tool sees this order." };
        var command = new Verb("convert", "Writes a run or judgements in the layout of another tool.")
        {
            Examples = ["tern data convert run.trec run.json --as run", "tern data convert run.tsv run.trec --as run --from msmarco", "tern data convert qrels/test.tsv qrels.txt --as qrels", "tern data convert run.trec run.tsv --as run --to tevatron --ties docid-asc --perturb"],
        };
        command.Add(input);
        command.Add(output);
        foreach (Option option in new Option[] { kind, from, to, ties, perturb })
        {
            command.Add(option);
        }

        command.SetAction((parsed, _) =>
        {
            string source = parsed.GetRequiredValue(input);
            string target = parsed.GetRequiredValue(output);
            string layout = parsed.GetRequiredValue(to);
            bool isJson = target.EndsWith(".json", StringComparison.OrdinalIgnoreCase) || target.EndsWith(".json.gz", StringComparison.OrdinalIgnoreCase);
            layout = layout == "auto" ? isJson ? "json" : "trec" : layout;
            if (Path.GetDirectoryName(Path.GetFullPath(target)) is { } directory && !Directory.Exists(directory))
            {
                throw new DirectoryNotFoundException($"{target}: its directory does not exist");
            }

            if (parsed.GetRequiredValue(kind) == "run")
            {
                Refuse(parsed, [from, to], "beir", "a run");
                var run = Run.Read(source, RunFlags.RunFormat(parsed.GetRequiredValue(from)));
                run.Write(target, RunFlags.RunFormat(layout)!.Value, RunFlags.Ties(parsed, ties) ?? TieOrder.Trec9, parsed.GetValue(perturb));
                terminal.Error.WriteLine($"{target}: {run.Topics.Count} topics, {run.Topics.Sum(topic => (long)run[topic].Count)} documents");
            }
            else
            {
                Refuse(parsed, [from, to], "tevatron", "judgements");
                var qrels = Qrels.Read(source, RunFlags.QrelsFormat(parsed.GetRequiredValue(from)));
                qrels.Write(target, RunFlags.QrelsFormat(layout)!.Value);
                terminal.Error.WriteLine($"{target}: {qrels.Topics.Count} topics, {qrels.Topics.Sum(topic => (long)qrels[topic].Count)} judgements");
            }

            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static void Refuse(ParseResult parsed, Option<string>[] options, string layout, string what)
    {
        if (Array.Find(options, option => parsed.GetRequiredValue(option) == layout) is { } option)
        {
            throw new UsageException($"{option.Name} {layout}: no layout of {what}");
        }
    }
}
