using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Tern.Cli.Benches;
using Tern.Retrieval;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests.Benches;

public sealed class UpdateBenchTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public void ReadersSeeOnlyWholeCommitsWhileOneWriterWorks()
    {
        CliResult result = Cli.Run("bench", "updates", "--operations", "4000", "--ids", "60", "--commit-every", "10", "--readers", "2", "--json");
        JsonElement figures = JsonDocument.Parse(result.Output).RootElement;
        Assert.Empty(figures.GetProperty("errors").EnumerateArray().Select(e => e.GetString()));
        Assert.Equal(ExitCode.Ok, result.ExitCode);
        Assert.Equal(400, figures.GetProperty("commits").GetInt32());
        Assert.InRange(figures.GetProperty("commits_seen").GetInt32(), 2, int.MaxValue);
    }

    /// <summary>The program itself, killed by the system: what it had said was committed is there, and nothing half-done.</summary>
    [Fact]
    public void AKilledWriterLeavesItsLastCommit()
    {
        foreach (int commits in (int[])[1, 7, 40])
        {
            string index = _directory[$"killed-{commits}"];
            using var process = Process.Start(new ProcessStartInfo("dotnet", ["exec", Path.Combine(AppContext.BaseDirectory, "Tern.Cli.dll"), "bench", "updates", "--operations", "100000000", "--ids", "60", "--commit-every", "10", "--readers", "1", "--work", index, "--print-commits"])
            {
                RedirectStandardOutput = true,
            })!;
            long said = 0;
            while (said < commits && process.StandardOutput.ReadLine() is { } line)
            {
                said = long.Parse(line, CultureInfo.InvariantCulture);
            }

            process.Kill();
            // Lines that were on their way when it was killed.
            while (process.StandardOutput.ReadLine() is { } line)
            {
                said = long.TryParse(line, CultureInfo.InvariantCulture, out long commit) && commit == said + 1 ? commit : said;
            }

            process.WaitForExit();
            Assert.InRange(said, commits, long.MaxValue);
            Assert.Empty(IndexVerification.Run(index).Damages);
            using (var opened = SegmentedIndex.Open(index))
            {
                Assert.InRange(opened.Commit, said, said + 1);
                var sequence = new UpdateSequence(1, 60, 10);
                while (sequence.Commit < opened.Commit)
                {
                    sequence.Next(null);
                }

                Assert.Equal(sequence.Hash, UpdateSequence.HashOf(opened));
            }

            using var writer = SegmentedIndexWriter.Open(index);
            writer.Compact();
        }
    }

    public void Dispose() => _directory.Dispose();
}
