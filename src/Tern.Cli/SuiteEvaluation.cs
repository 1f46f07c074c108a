using System.CommandLine;
using Tern.Pipelines.Suite;
using Tern.Retrieval;

namespace Tern.Cli;

/// <summary><c>tern eval --suite</c>: one system on every dataset in BEIR's layout below a directory.</summary>
internal sealed class SuiteEvaluation
{
    private static readonly string[] DefaultMeasures = ["nDCG@10", "RR@10", "R@100", "R@1000", "R_cap@100"];

    private readonly Option<string?> _suite = Flags.Text("--suite", "Instead of a run: search and measure every BEIR directory below this one; the arguments are measures then.", "dir");
    private readonly Option<string?> _model = Flags.Text("--model", "With --suite: the retriever.", "dir");
    private readonly Option<bool> _bm25 = new("--bm25") { Description = "With --suite: BM25 in place of a model." };
    private readonly Option<string?> _output = Flags.Text("--output", "With --suite: results and runs; what is there is not made again.", "dir");
    private readonly Option<int> _depth = Flags.Count("--k", "With --suite: documents of a topic.", 1000);
    private readonly Option<string[]> _only = new("--only") { Description = "With --suite: this dataset; repeatable.", HelpName = "name" };
    private readonly ModelFlags _modelFlags = new();

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _suite, _model, _bm25, _output, _depth, _only })
        {
            command.Add(option);
        }

        _modelFlags.AddTo(command);
    }

    public bool IsAsked(ParseResult parsed) => parsed.GetValue(_suite) is not null;

    public int Run(Terminal terminal, ParseResult parsed, IReadOnlyList<string> measures, string format, CancellationToken cancellation)
    {
        string root = parsed.GetValue(_suite)!;
        string output = parsed.GetValue(_output) ?? throw new UsageException("--suite needs --output DIR for its results");
        if ((parsed.GetValue(_model) is null) != parsed.GetValue(_bm25))
        {
            throw new UsageException("--suite needs either --model DIR or --bm25");
        }

        IReadOnlyList<SuiteDataset> datasets = Choose(SuiteDataset.Find(root), parsed.GetValue(_only) ?? [], root);
        using RetrieverModel? model = parsed.GetValue(_model) is { } directory ? RetrieverModel.Load(directory, _modelFlags.Read(parsed)) : null;
        var runner = new SuiteRunner(new SuiteOptions(output, model, parsed.GetValue(_model) ?? "", Measure.ParseList(string.Join(' ', measures.Count > 0 ? measures : DefaultMeasures)), parsed.GetValue(_depth)));
        List<(SuiteDataset Dataset, SuiteResult Result)> results = [];
        List<string> failed = [];
        foreach (SuiteDataset dataset in datasets)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                using var progress = new ProgressLine(terminal, $"documents of {dataset.Name}");
                (SuiteResult result, bool reused) = runner.Run(dataset, progress.Report, cancellation);
                results.Add((dataset, result));
                terminal.Error.WriteLine(Invariant($"{dataset.Name} ({dataset.Split}): {result.DocumentCount:N0} documents, {result.TopicCount:N0} topics, {(reused ? "already done" : Invariant($"{result.EvaluationTime:0} s"))}; self-matches {result.SelfMatches}"));
            }
            catch (Exception error) when (error is InvalidDataException or FileNotFoundException)
            {
                // A malformed dataset is not the others' trouble.
                failed.Add(dataset.Name);
                terminal.Error.WriteLine($"{dataset.Name}: left out: {error.Message}");
            }
        }

        if (results.Count > 0)
        {
            Write(terminal, output, runner, results, failed, format);
        }

        return failed.Count > 0 ? ExitCode.BadInput : ExitCode.Ok;
    }

    private static void Write(Terminal terminal, string output, SuiteRunner runner, List<(SuiteDataset Dataset, SuiteResult Result)> results, List<string> failed, string format)
    {
        string[] names = [.. runner.Measures.Select(m => m.Name)];
        var table = new ResultTable(["dataset", "topics", .. names]);
        foreach ((SuiteDataset dataset, SuiteResult result) in results)
        {
            table.Add([dataset.Name, Invariant($"{result.TopicCount}"), .. names.Select(name => Invariant($"{result.Measures[name]:0.0000}"))]);
        }

        // A mean over what happened to work is not the suite's.
        List<string> notes = [failed.Count > 0 ? $"no mean: left out: {string.Join(", ", failed)}" : Invariant($"mean over {results.Select(r => r.Dataset.Group).Distinct().Count()} datasets; datasets of one directory count as one")];
        if (failed.Count == 0)
        {
            table.Add(["mean", "", .. names.Select(name => Invariant($"{SuiteMean.Of(results, name):0.0000}"))]);
        }

        IReadOnlyList<(SuiteDataset, SuiteResult)> paper = SuiteMean.OfPaper(results);
        if (paper.Count > 0 && paper.Count < results.Count)
        {
            table.Add(["mean of the paper's 13", "", .. names.Select(name => Invariant($"{SuiteMean.Of(paper, name):0.0000}"))]);
        }

        notes.Add(Invariant($"{results[0].Result.System}, {results[0].Result.SearchDepth} documents a topic, over all judged topics, trec_eval 9.0.8's rules"));
        OutputFile.Write(terminal, Path.Combine(output, "summary.md"), writer => Table(writer, "markdown"));
        OutputFile.Write(terminal, Path.Combine(output, "summary.tex"), writer => Table(writer, "latex"));
        OutputFile.Write(terminal, Path.Combine(output, "summary.json"), writer => WriteJson(writer, names, results, failed));
        if (format == "json")
        {
            WriteJson(terminal.Out, names, results, failed);
        }
        else
        {
            table.Write(terminal, format is "trec" ? "table" : format);
            notes.ForEach(note => terminal.Out.WriteLine(format == "latex" ? "% " + note : note));
        }

        void Table(TextWriter writer, string layout)
        {
            table.Write(new Terminal(writer, TextWriter.Null, outIsTerminal: false, errorIsTerminal: false, color: false), layout);
            writer.WriteLine();
            notes.ForEach(note => writer.WriteLine(layout == "latex" ? "% " + note : note));
        }
    }

    /// <summary>BEIR's keys (NDCG@10, Recall@100) of each dataset, as its scripts write and average them.</summary>
    private static void WriteJson(TextWriter writer, string[] names, List<(SuiteDataset Dataset, SuiteResult Result)> results, List<string> failed) => JsonOutput.Write(writer, json =>
    {
        json.WriteString("system", results[0].Result.System);
        json.WriteStartObject("datasets");
        foreach ((SuiteDataset dataset, SuiteResult result) in results)
        {
            Object(dataset.Name, name => result.Measures[name]);
        }

        json.WriteEndObject();
        if (failed.Count == 0)
        {
            Object("mean", name => SuiteMean.Of(results, name));
        }

        if (SuiteMean.OfPaper(results) is { Count: > 0 } paper)
        {
            Object("mean_of_the_papers_13", name => SuiteMean.Of(paper, name));
        }

        json.WriteArray("left_out", failed, json.WriteStringValue);

        void Object(string name, Func<string, double> value)
        {
            json.WriteStartObject(name);
            foreach (string measure in names)
            {
                json.WriteNumber(BeirKey(measure), Math.Round(value(measure), 5));
            }

            json.WriteEndObject();
        }
    });

    private static string BeirKey(string measure) =>
        measure.StartsWith("nDCG@", StringComparison.Ordinal) ? "NDCG@" + measure[5..]
        : measure.StartsWith("R@", StringComparison.Ordinal) ? "Recall@" + measure[2..]
        : measure.StartsWith("RR@", StringComparison.Ordinal) ? "MRR@" + measure[3..]
        : measure.StartsWith("AP@", StringComparison.Ordinal) ? "MAP@" + measure[3..]
        : measure;

    private static IReadOnlyList<SuiteDataset> Choose(IReadOnlyList<SuiteDataset> found, string[] names, string root) => names.Length == 0
        ? found
        : [.. names.Select(name => found.FirstOrDefault(d => d.Name == name) ?? throw new UsageException($"--only {name}: not below {root}, where there are {string.Join(", ", found.Select(d => d.Name))}"))];
}
