using System.CommandLine;
using Tern.Compute;
using Tern.Model.Checkpoints;

namespace Tern.Cli;

/// <summary><c>tern model fuzz</c>: damaged model files, each of which must be refused clearly or load whole.</summary>
internal static class ModelFuzzCommand
{
    private const int ShownFailures = 20;

    public static Command Create(Terminal terminal)
    {
        Option<int> count = Flags.Count("--count", "Files to damage.", 10_000);
        Option<int> first = Flags.Count("--first", "Number of the first case, to see one again.", 0, least: 0);
        Option<int> seed = Flags.Count("--seed", "Decides every change.", 1, least: 0);
        var command = new Verb("fuzz", "Damages configs, safetensors, adapters and pickles of a small model at random and loads them.")
        {
            Notes = "Each must be refused with a line that names the file, or load and run. The exit code is 1 if any does neither.",
            Examples = ["tern model fuzz --count 10000 --seed 1", "tern model fuzz --first 1234 --count 1 --seed 1"],
        };
        foreach (Option option in new Option[] { count, first, seed })
        {
            command.Add(option);
        }

        command.SetAction((parsed, cancellationToken) =>
        {
            string directory = Directory.CreateTempSubdirectory("tern-fuzz-").FullName;
            try
            {
                using IBackend backend = Backends.Create("cpu", 1);
                using var fuzz = new CheckpointFuzz(backend, directory);
                FuzzResult result;
                using (var progress = new ProgressLine(terminal, "files"))
                {
                    result = fuzz.Run(parsed.GetValue(seed), parsed.GetValue(first), parsed.GetValue(count), progress.Report, cancellationToken);
                }

                foreach (string failure in result.Failures.Take(ShownFailures))
                {
                    terminal.Out.WriteLine(failure);
                }

                terminal.Out.WriteLine(Invariant($"{result.LoadedCount + result.RefusedCount + result.Failures.Count} damaged files: {result.RefusedCount} refused, {result.LoadedCount} loaded and ran, {result.Failures.Count} neither"));
                return Task.FromResult(result.Failures.Count == 0 ? ExitCode.Ok : ExitCode.Failure);
            }
            finally
            {
                Directory.Delete(directory, recursive: true);
            }
        });
        return command;
    }
}
