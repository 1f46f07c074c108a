using System.CommandLine;

namespace Tern.Cli.Benches;

/// <summary><c>tern bench updates</c>: one writer and some readers at once, every result checked.</summary>
internal static class UpdateBenchCommand
{
    public static Verb Create(Terminal terminal)
    {
        Option<int> operations = Flags.Count("--operations", "Upserts and deletes to make.", 100_000);
        Option<int> readers = Flags.Count("--readers", "Threads that search meanwhile.", 2, least: 0);
        Option<int> ids = Flags.Count("--ids", "Different documents.", 1000);
        Option<int> commitEvery = Flags.Count("--commit-every", "Changes in a commit.", 100);
        Option<int> seed = Flags.Count("--seed", "Decides all changes.", 1, least: 0);
        Option<string?> work = Flags.Text("--work", "An empty directory for the index; a temporary one that is deleted unless given.", "dir");
        Option<bool> commits = new("--print-commits") { Description = "Write a line for each commit once it has returned." };
        Option<bool> json = Flags.Json("the figures");
        var command = new Verb("updates", "Updates an index while it is searched, and compares every commit that a reader sees with what was committed.")
        {
            Notes = "Exit code 1 when a reader saw anything but a whole commit.",
            Examples = ["tern bench updates --operations 1000000 --readers 2", "tern bench updates --operations 10000 --readers 1 --seed 7 --json"],
        };
        foreach (Option option in new Option[] { operations, readers, ids, commitEvery, seed, work, commits, json })
        {
            command.Add(option);
        }

        command.SetAction((parsed, cancellationToken) =>
        {
            string directory = parsed.GetValue(work) ?? Directory.CreateTempSubdirectory("tern-bench-").FullName;
            try
            {
                var sequence = new UpdateSequence(parsed.GetValue(seed), parsed.GetValue(ids), parsed.GetValue(commitEvery));
                Action<long>? committed = !parsed.GetValue(commits) ? null : commit =>
                {
                    terminal.Out.WriteLine(Invariant($"{commit}"));
                    terminal.Out.Flush();
                };
                UpdateFigures figures = UpdateBench.Run(directory, sequence, parsed.GetValue(operations), parsed.GetValue(readers), committed, cancellationToken);
                Print(terminal, figures, parsed.GetValue(json));
                return Task.FromResult(figures.Errors.Count == 0 ? ExitCode.Ok : ExitCode.Failure);
            }
            finally
            {
                if (parsed.GetValue(work) is null)
                {
                    Directory.Delete(directory, recursive: true);
                }
            }
        });
        return command;
    }

    private static void Print(Terminal terminal, UpdateFigures figures, bool json)
    {
        if (json)
        {
            JsonOutput.Write(terminal.Out, writer =>
            {
                writer.WriteNumber("operations", figures.Operations);
                writer.WriteNumber("commits", figures.Commits);
                writer.WriteNumber("operations_per_second", Math.Round(figures.Operations / figures.Seconds, 1));
                writer.WriteNumber("commit_ms", Math.Round(figures.CommitMilliseconds, 3));
                writer.WriteNumber("reads", figures.Reads);
                writer.WriteNumber("commits_seen", figures.Generations);
                writer.WriteNumber("segments", figures.Segments);
                writer.WriteArray("errors", figures.Errors, error => writer.WriteStringValue(error));
            });
            return;
        }

        terminal.Out.WriteLine(Invariant($"{figures.Operations:N0} changes in {figures.Commits:N0} commits, {figures.Operations / figures.Seconds:N0} a second, {figures.CommitMilliseconds:0.00} ms a commit; {figures.Segments} segments in the end"));
        terminal.Out.WriteLine(Invariant($"readers compared {figures.Reads:N0} times and saw {figures.Generations:N0} new commits: {(figures.Errors.Count == 0 ? "all whole" : "WRONG")}"));
        foreach (string error in figures.Errors)
        {
            terminal.Out.WriteLine(error);
        }
    }
}
