using System.Diagnostics;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests.Indexes;

/// <summary>The program is killed while it builds an index in the place of another: one of both is there.</summary>
public sealed class KilledBuildTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public void TheOldOrTheNewIndexIsThere()
    {
        string[] corpora = [.. ((string[])["old", "new"]).Select(name =>
        {
            string path = _directory[$"{name}.jsonl"];
            File.WriteAllLines(path, Enumerable.Range(0, 3000).Select(i => $"{{\"_id\":\"{name}-{i}\",\"text\":\"{name} words of document number {i}\"}}"));
            return path;
        })];
        Assert.Equal(ExitCode.Ok, Cli.Run("index", "build", "--corpus", corpora[0], "--bm25", "--output", _directory["index"]).ExitCode);
        var found = new HashSet<string>();
        for (int kill = 0; kill < 6; kill++)
        {
            string[] arguments = ["exec", Path.Combine(AppContext.BaseDirectory, "Tern.Cli.dll"), "index", "build", "--corpus", corpora[1 - (kill % 2)], "--bm25", "--output", _directory["index"]];
            using var process = Process.Start(new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true })!;
            // As soon as what it writes appears, or a little later.
            while (!process.HasExited && !Directory.Exists(_directory["index.partial"]))
            {
                Thread.Sleep(1);
            }

            process.WaitForExit(30 * kill);
            process.Kill();
            process.WaitForExit();
            CliResult search = Cli.Run("search", "--index", _directory["index"], "--k", "1", "--json", "words");
            Assert.True(search.ExitCode == ExitCode.Ok, search.Error);
            found.Add(search.Output.Contains("\"old-", StringComparison.Ordinal) ? "old" : "new");
            Assert.Equal(ExitCode.Ok, Cli.Run("index", "verify", "--index", _directory["index"]).ExitCode);
        }

        Assert.NotEmpty(found);
    }

    public void Dispose() => _directory.Dispose();
}
