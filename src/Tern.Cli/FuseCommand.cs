using System.CommandLine;
using System.Globalization;
using Tern.Retrieval;

namespace Tern.Cli;

/// <summary><c>tern fuse</c>: several runs of the same topics as one, with weights given or chosen on development topics.</summary>
internal sealed class FuseCommand
{
    private const string ReciprocalRank = "rrf";

    private readonly Option<string[]> _runs = new("--run") { Description = "A run to fuse; two or more.", HelpName = "file", Required = true };
    private readonly Option<string> _output = Flags.RequiredText("--output", "The TREC run to write; - for standard output.", "file");
    private readonly Option<string> _method = Flags.Choice("--method", "How scores of a topic become comparable: minmax to [0, 1]; zscore to mean 0 and deviation 1; rrf: ranks alone count, 1 / (60 + rank).", "minmax", "minmax", "zscore", ReciprocalRank);
    private readonly Option<string?> _weights = Flags.Text("--weights", "One weight a run, with commas; equal unless given or tuned.", "list");
    private readonly Option<string[]> _tuningRuns = new("--tune-run") { Description = "The same systems' runs of development topics, in the order of --run: the weights that do best there are taken.", HelpName = "file" };
    private readonly Option<string?> _tuningQrels = Flags.Text("--tune-qrels", "Judgements of the development topics. Never those that the result is reported on.", "file");
    private readonly Option<string> _measure = new("--measure") { Description = "What the weights are chosen by.", HelpName = "name", DefaultValueFactory = _ => "RR@10" };
    private readonly Option<int> _steps = Flags.Count("--tune-steps", "Weights tried are multiples of 1 / n.", 10);
    private readonly Option<int> _depth = Flags.Count("--k", "Documents of each run that count, and that are kept of each topic.", 1000);
    private readonly Option<string> _tag = new("--tag") { Description = "Last column of the run.", HelpName = "text", DefaultValueFactory = _ => "fused" };

    public static Command Create(Terminal terminal)
    {
        var flags = new FuseCommand();
        var command = new Verb("fuse", "Fuses runs into one: hybrid retrieval, with weights given or chosen on development topics.")
        {
            Notes = "A document that a run lacks counts there as its least score.",
            Examples =
            [
                "tern fuse --run bm25.trec --run sparse.trec --weights 0.4,0.6 --output hybrid.trec",
                "tern fuse --run test.bm25.trec --run test.sparse.trec --tune-run dev.bm25.trec --tune-run dev.sparse.trec --tune-qrels qrels/dev.tsv --output hybrid.trec",
                "tern fuse --run bm25.trec --run sparse.trec --run dense.trec --method rrf --output hybrid.trec",
            ],
        };
        foreach (Option option in new Option[] { flags._runs, flags._output, flags._method, flags._weights, flags._tuningRuns, flags._tuningQrels, flags._measure, flags._steps, flags._depth, flags._tag })
        {
            command.Add(option);
        }

        command.SetAction((parsed, _) =>
        {
            flags.Fuse(parsed, terminal);
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private void Fuse(ParseResult parsed, Terminal terminal)
    {
        string[] paths = parsed.GetRequiredValue(_runs);
        string[] tuning = parsed.GetValue(_tuningRuns) ?? [];
        string method = parsed.GetRequiredValue(_method);
        Require(paths.Length > 1, "fuse needs --run FILE twice or more");
        Require(tuning.Length == 0 == parsed.GetValue(_tuningQrels) is null, "--tune-run FILE and --tune-qrels FILE go together");
        Require(tuning.Length == 0 || tuning.Length == paths.Length, $"--tune-run: {tuning.Length} given for {paths.Length} runs; give one for each --run, in the same order");
        Require(tuning.Length == 0 || parsed.GetValue(_weights) is null, "--weights and --tune-run both say the weights: give one");
        Require(method != ReciprocalRank || (tuning.Length == 0 && parsed.GetValue(_weights) is null), "--method rrf has no weights");
        double[]? given = Weights(parsed, paths.Length);

        string output = parsed.GetRequiredValue(_output);
        int depth = parsed.GetValue(_depth);
        string tag = parsed.GetRequiredValue(_tag);
        Run[] runs = Array.ConvertAll(paths, path => Run.Read(path));
        if (method == ReciprocalRank)
        {
            Fusion.ReciprocalRank(runs, depth: depth, tag: tag).Write(output);
            Say($"{paths.Length} runs");
            return;
        }

        ScoreNormalization normalization = method == "zscore" ? ScoreNormalization.ZScore : ScoreNormalization.MinMax;
        IReadOnlyList<double> weights = given ?? [.. paths.Select(_ => 1.0 / paths.Length)];
        string why = "";
        if (tuning.Length > 0)
        {
            Measure measure = Measure.Parse(parsed.GetRequiredValue(_measure));
            TunedFusion tuned = FusionTuning.Choose(Qrels.Read(parsed.GetValue(_tuningQrels)!), Array.ConvertAll(tuning, path => Run.Read(path)), measure, normalization, parsed.GetValue(_steps), depth);
            weights = tuned.Weights;
            why = Invariant($"; {measure.Name} {tuned.Value:0.0000} on the development topics");
        }

        Fusion.Weighted(runs, weights, normalization, depth, tag).Write(output);
        Say(string.Join(" + ", paths.Zip(weights, (path, weight) => Invariant($"{weight:0.##} × {Path.GetFileName(path)}"))) + why);

        void Say(string what) => (output == "-" ? terminal.Error : terminal.Out).WriteLine($"{output}: {what}");
    }

    private double[]? Weights(ParseResult parsed, int count)
    {
        if (parsed.GetValue(_weights) is not { } list)
        {
            return null;
        }

        string[] parts = list.Split(',');
        Require(parts.Length == count, $"--weights {list}: {parts.Length} given for {count} runs");
        return Array.ConvertAll(parts, part => double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out double weight) && double.IsFinite(weight) && weight >= 0
            ? weight
            : throw new UsageException($"--weights: '{part}' is not a number of at least 0"));
    }

    private static void Require(bool holds, string problem)
    {
        if (!holds)
        {
            throw new UsageException($"{problem} (tern fuse --help)");
        }
    }
}
