using System.CommandLine;
using Tern.Pipelines.Study;
using Tern.Training.Planning;

namespace Tern.Cli;

/// <summary><c>tern study</c>: sizes × types × objectives × seeds under one budget of floating-point operations, and what came of it.</summary>
internal static class StudyCommand
{
    private const double SecondsPerHour = 3600;

    public static Command Create(Terminal terminal)
    {
        Option<string> plan = Flags.RequiredText("--plan", "The study as a JSON file; or paper, built in: the paper's own grid, for --dry-run.", "file|paper");
        var output = new Option<string>("--output", "-o") { Description = "Directory for cells, tables, plots and report.html.", HelpName = "directory", DefaultValueFactory = _ => Path.Combine("artifacts", "study") };
        var cell = new Option<string[]>("--cell") { Description = "Only this cell, or i/n for every n-th from the i-th on: an array job's tasks share a study. Repeatable.", HelpName = "name|i/n" };
        var restart = new Option<string[]>("--restart") { Description = "Delete what this cell left and begin it anew, even if it is finished; as --cell.", HelpName = "name|i/n" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Show what every cell would do, and train nothing." };
        var report = new Option<bool>("--report") { Description = "Only write tables, plots and the page from the cells that are finished." };
        Option<double> rate = Flags.Number("--gflops", "With --dry-run: products' GFLOP/s of the machine that will train, for the hours.", 300, least: 0.001);
        Option<string> gpu = Flags.Choice("--gpu", "With --dry-run: hours and memory on this GPU instead.", "none", ["none", .. Accelerator.All.Select(a => a.Name)]);
        Option<int> gpuCount = Flags.Count("--gpus", "How many of them.", PaperPreset.RankCount);
        Option<double> utilization = Flags.Number("--utilization", "The part of their peak that is reached.", 0.4, least: 0.001);
        Option<int> threads = Flags.Threads();
        var command = new Verb("study", "Trains and evaluates a grid of models under one compute budget, fits scaling curves and writes a report.")
        {
            Notes = """
                Every cell takes the same number of floating-point operations: those of its matrix products and of
                attention, forward, backward and recomputation, counted by the code that runs them. A finished cell
                is not run again, a stopped one goes on from its checkpoint, one that fails does not stop the others.
                A checkpoint that another version of the program left is kept until --restart throws it away.
                The report and the tables are made from the cells' records alone: --report needs no data.
                """,
            Examples =
            [
                "tern study --plan study.json --dry-run",
                "tern study --plan study.json --output artifacts/study",
                "tern study --plan study.json --output artifacts/study --cell 3/16",
                "tern study --plan study.json --output artifacts/study --restart 0.4M-sparse-CL-s1",
                "tern study --plan study.json --output artifacts/study --report",
                "tern study --plan paper --dry-run --gpu h100 --gpus 8",
            ],
        };
        foreach (Option option in new Option[] { plan, output, cell, restart, dryRun, report, rate, gpu, gpuCount, utilization, threads })
        {
            command.Add(option);
        }

        command.SetAction((parsed, cancellation) =>
        {
            string path = parsed.GetRequiredValue(plan);
            Accelerator? accelerator = parsed.GetRequiredValue(gpu) is "none" ? null : Accelerator.Find(parsed.GetRequiredValue(gpu));
            if (PaperStudy.IsNamed(path))
            {
                return parsed.GetValue(dryRun)
                    ? Done(() => PaperStudy.Show(terminal, accelerator ?? Accelerator.All[0], parsed.GetValue(gpuCount), parsed.GetValue(utilization)))
                    : throw new UsageException($"--plan {path}: its cells train adapters on pretrained weights, each by itself: tern train --preset NAME; --dry-run shows all of them");
            }

            var runner = new StudyRunner(new StudyOptions(path, parsed.GetRequiredValue(output), parsed.GetValue(cell) ?? [], parsed.GetValue(threads)) { Restart = parsed.GetValue(restart) ?? [] });
            if (parsed.GetValue(dryRun))
            {
                double gigaflops = accelerator is null ? parsed.GetValue(rate) : accelerator.PeakFlops * parsed.GetValue(gpuCount) * parsed.GetValue(utilization) / 1e9;
                return Done(() => Show(terminal, runner, gigaflops));
            }

            StudyOutcome? outcome = parsed.GetValue(report) ? null : Run(terminal, runner, cancellation);
            WriteReport(terminal, runner, path, parsed.GetRequiredValue(output));
            return Task.FromResult(outcome is { Failed.Count: > 0 } ? ExitCode.Failure : ExitCode.Ok);
        });
        return command;
    }

    private static Task<int> Done(Action action)
    {
        action();
        return Task.FromResult(ExitCode.Ok);
    }

    private static void Show(Terminal terminal, StudyRunner runner, double gigaflops)
    {
        var table = new ResultTable("cell", "parameters", "steps", "batch", "FLOPs a step", "FLOPs", "of the budget", "memory", "hours");
        double hours = 0;
        foreach (CellPlan cell in runner.PlanCells())
        {
            double time = cell.Flops / (gigaflops * 1e9) / SecondsPerHour;
            hours += time;
            table.Add(cell.Cell.Name, Invariant($"{cell.Cell.Size.NonEmbeddingParameters:#,0}"), Invariant($"{cell.StepCount:#,0}"), Invariant($"{cell.BatchSize}"), Invariant($"{cell.FlopsPerStep:0.00E+0}"), Invariant($"{cell.Flops:0.000E+0}"), Invariant($"{100 * cell.Flops / runner.Plan.BudgetFlops:0.0} %"), MemoryPlan.Text(cell.Memory.Total), Invariant($"{time:0.00}"));
        }

        table.Write(terminal, "table");
        terminal.Out.WriteLine(Invariant($"{runner.Cells.Count} cells, {hours:0.0} hours of training at {gigaflops:0.#} GFLOP/s; evaluation comes on top"));
        if (runner.QueriesLeftOut > 0)
        {
            terminal.Out.WriteLine(Invariant($"{runner.QueriesLeftOut:#,0} train queries have fewer hard negatives than an objective draws and are left out for all"));
        }
    }

    private static StudyOutcome Run(Terminal terminal, StudyRunner runner, CancellationToken cancellation)
    {
        var screen = new StudyScreen(terminal);
        StudyOutcome outcome;
        try
        {
            outcome = runner.Run(screen, cancellation);
        }
        catch (OperationCanceledException)
        {
            terminal.Error.WriteLine("stopped; what was done is kept, and the same command goes on from there");
            throw;
        }

        string elsewhere = outcome.InWorkElsewhere.Count > 0 ? Invariant($", {outcome.InWorkElsewhere.Count} in work elsewhere") : "";
        terminal.Out.WriteLine(Invariant($"{outcome.Finished} cells finished, {outcome.Reused} were already, {outcome.Failed.Count} failed{elsewhere}"));
        return outcome;
    }

    private static void WriteReport(Terminal terminal, StudyRunner runner, string plan, string output)
    {
        IReadOnlyList<CellRecord> records = runner.Records();
        if (records.Count == 0)
        {
            terminal.Out.WriteLine("no cell of this plan is finished: nothing to report yet");
            return;
        }

        var analysis = new StudyAnalysis(runner.Plan, records);
        OutputFile.Write(terminal, runner.Paths.Csv, writer => writer.Write(StudyTables.Results(runner.Plan, records)));
        OutputFile.Write(terminal, runner.Paths.FitsCsv, writer => writer.Write(StudyTables.Fits(analysis)));
        OutputFile.Write(terminal, runner.Paths.ComparisonsCsv, writer => writer.Write(StudyTables.Comparisons(analysis)));
        OutputFile.Write(terminal, runner.Paths.RobustnessCsv, writer => writer.Write(StudyTables.Robustness(analysis)));
        List<(StudyChart, string)> charts = [.. StudyCharts.Of(runner.Plan, analysis).Select(chart => (chart, StudyPlots.Write(chart, runner.Paths.Plots)))];
        OutputFile.Write(terminal, runner.Paths.Report, writer => writer.Write(StudyReport.Render(runner.Plan, analysis, charts, $"artifacts/bin/tern study --plan {plan} --output {output}")));
        foreach (Finding finding in StudyFindings.Of(runner.Plan, analysis))
        {
            terminal.Out.WriteLine($"{finding.Claim} {finding.Agrees switch { true => "Yes here: ", false => "No, not here: ", null => "Not decided here: " }}{finding.Answer}");
        }

        terminal.Out.WriteLine($"{runner.Paths.Report} and {runner.Paths.Csv}: {records.Count} of {runner.Plan.Cells().Count} cells");
    }
}
