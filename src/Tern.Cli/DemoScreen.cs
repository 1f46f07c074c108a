using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using Tern.Model;
using Tern.Pipelines.Demo;
using Tern.Training;

namespace Tern.Cli;

/// <summary>What the demo shows: a line per stage with a live line under it while it runs, and the results at the end.</summary>
internal sealed class DemoScreen(Terminal terminal) : IDemoObserver
{
    private const int TermsShown = 6;

    private static readonly TimeSpan LiveInterval = TimeSpan.FromMilliseconds(250);

    private readonly Stopwatch _sinceLive = Stopwatch.StartNew();
    private bool _liveShown;

    public void StageStarted(string name, string title) => Live(title + " …");

    public void Progress(string what, long done, long total)
    {
        if (_sinceLive.Elapsed >= LiveInterval)
        {
            Live(Invariant($"{what}: {done:#,0} of {total:#,0}"));
        }
    }

    public TrainingResult Train(RepresentationKind kind, Func<IProgress<TrainingProgress>, TrainingResult> run)
    {
        ClearLive();
        return terminal.ErrorIsTerminal
            ? TrainingDisplay.Show(terminal, json: false, stepsBetweenLines: 1, kind, run)
            : run(new StepLines(terminal, kind));
    }

    public void StageFinished(string name, string title, string summary, double seconds, bool reused)
    {
        ClearLive();
        string time = reused ? "kept" : Invariant($"{seconds:0.0} s");
        string head = Invariant($"{title,-34} {time,8}");
        // A summary that does not fit beside its stage goes below it, rather than being broken anywhere.
        string gap = terminal.ErrorIsTerminal && head.Length + summary.Length + 4 > terminal.ErrorConsole.Profile.Width ? "\n    " : "  ";
        terminal.ErrorConsole.MarkupLineInterpolated($"[green]✓[/] [bold]{head}[/]{gap}[grey]{summary}[/]");
    }

    /// <summary>The table, the explained queries, where the report is and what to try next, on standard output.</summary>
    public void Show(DemoReport report, DemoOptions options)
    {
        IAnsiConsole console = terminal.OutConsole;
        console.WriteLine();
        console.Write(ResultsTable(report.Results));
        AblationFigures ablation = report.Results.Ablation;
        console.WriteLine(Invariant($"Without its transformer blocks the sparse model has RR@10 {ablation.SparseWithoutBlocks.Rr10:0.000}; with them {report.Results.Sparse.Rr10:0.000} (p {Probability(ablation.SparseFullAgainstIt.P)})."));
        foreach (ExplainedQuery example in report.Examples)
        {
            Explain(console, example);
        }

        var paths = new DemoPaths(options.OutputDirectory);
        // Written past the console, which would break them at its width: these lines are for copying.
        terminal.Out.WriteLine();
        terminal.Out.WriteLine($"Report:   {paths.Report}");
        terminal.Out.WriteLine($"Results:  {paths.Results}");
        terminal.Out.WriteLine($"Now try:  artifacts/bin/tern search --index {paths.Index("sparse")} \"make a copy of part of an array\"");
    }

    private static Table ResultsTable(DemoResults results)
    {
        var table = new Table().Border(TableBorder.Rounded);
        table.AddColumn("");
        foreach (string heading in new[] { "RR@10", "nDCG@10", "R@100", "index MB", "µs a query", "against BM25" })
        {
            table.AddColumn(new TableColumn(heading).RightAligned());
        }

        foreach ((string name, SystemFigures figures) in new[] { ("BM25", results.Bm25), ("dense", results.Dense), ("sparse", results.Sparse), ("hybrid", results.Hybrid) })
        {
            table.AddRow(
                name,
                Number(figures.Rr10, "0.000"),
                Number(figures.Ndcg10, "0.000"),
                Number(figures.R100, "0.000"),
                Number(figures.IndexMb, "0.0"),
                Number(figures.UsPerQuery, "#,0"),
                figures.AgainstBm25 is { } paired ? Invariant($"{paired.MeanDifference:+0.000;-0.000} (p {Probability(paired.P)})") : "");
        }

        return table.Caption(Invariant($"{results.Collection.TestQueries:#,0} test queries over all {results.Collection.Documents:#,0} documents"));
    }

    private void Explain(IAnsiConsole console, ExplainedQuery example)
    {
        console.WriteLine();
        console.MarkupLineInterpolated($"[bold]“{example.Query}”[/]");
        console.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"  [green]{example.Name}[/] [grey]{example.Score:0.00}[/]  {example.Summary}");
        console.MarkupLine("  " + TermBars.Markup(example.Matches, TermsShown, terminal.OutIsTerminal, console.Profile.Width - 2));
        if (example.RunnersUp.Count > 0)
        {
            console.MarkupLineInterpolated($"  [grey]then {string.Join(", ", example.RunnersUp)}[/]");
        }
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private static string Probability(double p) => p < 0.001 ? "< 0.001" : "= " + Number(p, "0.000");

    private void Live(string line)
    {
        if (!terminal.ErrorIsTerminal)
        {
            return;
        }

        int width = Math.Max(20, terminal.ErrorConsole.Profile.Width - 1);
        string shown = "  " + line;
        terminal.Error.Write("\r" + (shown.Length > width ? shown[..width] : shown.PadRight(width)));
        _liveShown = true;
        _sinceLive.Restart();
    }

    private void ClearLive()
    {
        if (_liveShown)
        {
            terminal.Error.Write("\r" + new string(' ', Math.Max(20, terminal.ErrorConsole.Profile.Width - 1)) + "\r");
            _liveShown = false;
        }
    }

    /// <summary>Where no terminal shows a panel: a line for every tenth of the steps.</summary>
    private sealed class StepLines(Terminal terminal, RepresentationKind kind) : IProgress<TrainingProgress>
    {
        private const int LineCount = 10;

        public void Report(TrainingProgress value)
        {
            if (value.Current.Step % Math.Max(1, value.StepCount / LineCount) == 0)
            {
                string nonZeros = kind == RepresentationKind.Sparse ? Invariant($", non-zeros {value.Current.QueryNonZeros:0} a query, {value.Current.DocumentNonZeros:0} a document") : "";
                terminal.Error.WriteLine(Invariant($"  step {value.Current.Step} of {value.StepCount}, loss {value.Current.Loss:0.000}{nonZeros}, {value.TokensPerSecond:#,0} tokens/s, {TrainingPanel.Clock(value.Remaining)} to go"));
            }
        }
    }
}
