using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using Tern.Pipelines.Study;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests;

public sealed class StudyCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    /// <summary>Killed with kill -9 while it trains: what was finished stays, the rest goes on from a checkpoint, and tables and runs are the same bytes.</summary>
    [Fact]
    public void AKilledStudyEndsWithTheTablesOfOneThatWasNot()
    {
        string plan = WritePlan();
        Succeed(plan, "whole");
        bool resumed = false;
        for (int kill = 0; kill < 3; kill++)
        {
            string[] arguments = ["exec", Path.Combine(AppContext.BaseDirectory, "Tern.Cli.dll"), .. Arguments(plan, "killed")];
            using var process = Process.Start(new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true })!;
            string newest = Newest();
            while (!process.HasExited && Newest() == newest)
            {
                Thread.Sleep(1);
            }

            process.WaitForExit(7 * kill);
            process.Kill();
            process.WaitForExit();
            resumed |= process.StandardOutput.ReadToEnd().Contains("goes on from step", StringComparison.Ordinal);
        }

        resumed |= Succeed(plan, "killed").Output.Contains("goes on from step", StringComparison.Ordinal);
        Assert.True(resumed, "no kill met a run between a checkpoint and its end");
        foreach (string table in (string[])["results.csv", "fits.csv", "comparisons.csv", "robustness.csv"])
        {
            Assert.Equal(Untimed(_directory[$"whole/{table}"]), Untimed(_directory[$"killed/{table}"]));
        }

        string[] runs = Directory.GetFiles(_directory["whole/cells"], "*.run.gz", SearchOption.AllDirectories);
        Assert.Equal(4, runs.Length);
        Assert.All(runs, run => Assert.Equal(Unzip(run), Unzip(run.Replace("whole", "killed", StringComparison.Ordinal))));

        // The figures are those that any evaluator finds in the run with the judgements beside it.
        string[] row = File.ReadAllLines(_directory["whole/results.csv"])[1].Split(','), head = File.ReadAllLines(_directory["whole/results.csv"])[0].Split(',');
        CliResult eval = Cli.Run("evaluate", "-c", _directory["whole/qrels/animals.txt"], _directory[$"whole/cells/s-sparse-CL-s1/animals.run.gz"], "nDCG@10");
        Assert.Equal(row[Array.IndexOf(head, "ndcg10")], eval.Lines[0].Split('\t')[2]);
    }

    [Fact]
    public void ThePapersGridIsBuiltIn()
    {
        CliResult result = Cli.Run("study", "--plan", "paper", "--dry-run", "--gpu", "h100", "--gpus", "8");
        Assert.True(result.ExitCode == ExitCode.Ok, result.Error);
        string[][] rows = [.. result.Lines.Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(l => l.Length > 6 && l[0].Contains("-dense-", StringComparison.Ordinal) | l[0].Contains("-sparse-", StringComparison.Ordinal))];
        Assert.Equal(18, rows.Length);

        // Steps and batch by the reference's table, and an equal budget by the convention that its epochs follow.
        Assert.Contains(rows, r => r is ["1b-sparse-cl", "33,250", "112", "16", ..]);
        Assert.Contains(rows, r => r is ["8b-sparse-kd", "8,400", "512", "1", ..]);
        Assert.All(rows, r => Assert.InRange(double.Parse(r[6], CultureInfo.InvariantCulture), 3.4e19, 4.3e19));
        Assert.All(rows, r => Assert.Equal("GiB", r[8]));
        Assert.Contains("18 cells", result.Output, StringComparison.Ordinal);

        CliResult refused = Cli.Run("study", "--plan", "paper");
        Assert.Equal(ExitCode.Usage, refused.ExitCode);
        Assert.Contains("tern train --preset", Assert.Single(refused.ErrorLines), StringComparison.Ordinal);
    }

    private static string Unzip(string path)
    {
        using var reader = new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress));
        return reader.ReadToEnd();
    }

    private static string Untimed(string path)
    {
        string[][] rows = [.. File.ReadAllLines(path).Select(l => l.Split(','))];
        int[] kept = [.. Enumerable.Range(0, rows[0].Length).Where(c => !StudyTables.TimedColumns.Contains(rows[0][c]))];
        return string.Join('\n', rows.Select(r => string.Join(',', kept.Select(c => r[c]))));
    }

    /// <summary>The newest checkpoint of the study that is killed; empty where there is none.</summary>
    private string Newest()
    {
        try
        {
            return Directory.Exists(_directory["killed/cells"])
                ? Directory.GetDirectories(_directory["killed/cells"], "checkpoint-*", SearchOption.AllDirectories).Where(d => char.IsAsciiDigit(d[^1])).MaxBy(Directory.GetCreationTimeUtc) ?? ""
                : "";
        }
        catch (DirectoryNotFoundException)
        {
            return ""; // A finished cell's are being deleted.
        }
    }

    private CliResult Succeed(string plan, string output)
    {
        CliResult result = Cli.Run(Arguments(plan, output));
        Assert.True(result.ExitCode == ExitCode.Ok, result.Error);
        return result;
    }

    private string[] Arguments(string plan, string output) => ["study", "--plan", plan, "--output", _directory[output], "--threads", "1"];

    private string WritePlan()
    {
        SmallCollection.Write(_directory["animals"]);
        string[] train = [.. File.ReadAllLines(_directory["animals/qrels/train.tsv"]).Skip(1)];
        string[] ids = [.. train.Select(l => l.Split('\t')[1])];
        File.WriteAllLines(_directory["teacher.jsonl"], ids.Select((id, i) => string.Create(CultureInfo.InvariantCulture, $"{{\"qid\": \"q-{id}\", \"pos\": [[\"{id}\", {2 + (i % 7 * 0.1):0.0}]], \"neg\": [[\"{ids[(i + 5) % ids.Length]}\", 0.5], [\"{ids[(i + 11) % ids.Length]}\", {i % 3 * 0.2:0.0}]]}}")));
        File.WriteAllText(_directory["plan.json"], """
            {
              "name": "Animals", "train": { "name": "animals", "directory": "animals" }, "teacher": "teacher.jsonl", "evaluate": [{ "name": "animals", "directory": "animals" }],
              "sizes": [{ "name": "s", "hidden_size": 16, "layer_count": 1, "head_count": 2, "key_value_head_count": 1, "intermediate_size": 32 }],
              "objectives": [
                { "name": "CL", "loss": "nce", "batch_size": 8, "negative_count": 1, "learning_rate": 1e-3 },
                { "name": "KD", "loss": "margin_mse", "batch_size": 8, "negative_count": 1, "learning_rate": 1e-3 }
              ],
              "vocabulary_size": 340, "budget_flops": 4e8
            }
            """);
        return _directory["plan.json"];
    }
}
