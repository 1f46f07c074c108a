using System.CommandLine;
using Tern.Pipelines.Demo;

namespace Tern.Cli;

/// <summary><c>tern demo</c>: the whole line on the SDK's own documentation, or on a BEIR collection.</summary>
internal static class DemoCommand
{
    public static Command Create(Terminal terminal)
    {
        var output = new Option<string>("--output", "-o") { Description = "Directory for models, indexes, report.html and results.json.", HelpName = "directory", DefaultValueFactory = _ => new DemoOptions().OutputDirectory };
        Option<double?> minutes = Flags.OptionalNumber("--minutes", "Wall time of the whole demo on this machine, in place of fixed step counts; more gives better models.", least: 0.1);
        Option<string?> data = Flags.Text("--data", "A BEIR directory (with train, dev and test judgements) in place of the SDK's documentation.", "directory");
        Option<int?> sparseSteps = Flags.OptionalCount("--steps-sparse", "Training steps of the sparse model, whatever the time.");
        Option<int?> denseSteps = Flags.OptionalCount("--steps-dense", "Training steps of the dense model, whatever the time.");
        Option<int> seed = Flags.Count("--seed", "Seed of everything random.", new DemoRecipe().Seed, least: 0);
        Option<int> threads = Flags.Threads();
        var fresh = new Option<bool>("--fresh") { Description = "Start over instead of going on from what an earlier run left." };
        Option<bool> json = Flags.Json("the results");
        var command = new Verb("demo", "Builds a collection from your .NET SDK, trains, indexes, searches, evaluates and reports.")
        {
            Examples =
            [
                "tern demo",
                "tern demo --minutes 30 --output artifacts/demo30",
                "tern demo --data datasets/scifact --output artifacts/scifact",
                "tern demo --json",
            ],
        };
        foreach (Option option in new Option[] { output, minutes, data, sparseSteps, denseSteps, seed, threads, fresh, json })
        {
            command.Add(option);
        }

        command.SetAction((parsed, cancellation) =>
        {
            var options = new DemoOptions
            {
                OutputDirectory = parsed.GetValue(output)!,
                DataDirectory = parsed.GetValue(data),
                Minutes = parsed.GetValue(minutes),
                SparseSteps = parsed.GetValue(sparseSteps),
                DenseSteps = parsed.GetValue(denseSteps),
                Fresh = parsed.GetValue(fresh),
                Threads = parsed.GetValue(threads),
                Recipe = new DemoRecipe { Seed = parsed.GetValue(seed) },
            };
            return Task.FromResult(Run(options, parsed.GetValue(json), terminal, cancellation));
        });
        return command;
    }

    private static int Run(DemoOptions options, bool json, Terminal terminal, CancellationToken cancellation)
    {
        var screen = new DemoScreen(terminal);
        DemoReport report;
        try
        {
            report = DemoPipeline.Run(options, screen, cancellation);
        }
        catch (OperationCanceledException)
        {
            terminal.Error.WriteLine("stopped; what was done is kept, and the same command goes on from there");
            throw;
        }

        if (json)
        {
            terminal.Out.WriteLine(ResultsFile.Write(report.Results));
        }
        else
        {
            screen.Show(report, options);
        }

        return ExitCode.Ok;
    }
}
