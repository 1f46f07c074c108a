using System.Text.Json;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests;

/// <summary>Runs as files: a description, a record, the same losses again.</summary>
public sealed class ReproduceTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public void ADescribedRunIsRecordedAndTrainsAgainWithEqualLosses()
    {
        string data = SmallCollection.Write(_directory["data"]);
        File.WriteAllText(_directory["run.yaml"], $"""
            # a run
            data: {data}
            new: true
            type: sparse
            steps: 6
            batch: 8
            hidden_size: 16
            heads: 2
            layers: 1
            vocabulary-size: 340
            grad-cache-chunk: 5
            """);
        Succeed("reproduce", _directory["run.yaml"], "--output", _directory["model"]);
        JsonElement record = JsonDocument.Parse(File.ReadAllText(Path.Combine(_directory["model"], "train.json"))).RootElement;
        Assert.Equal(5, record.GetProperty("grad_cache_chunk").GetInt32());
        Assert.True(record.GetProperty("planned_bytes").GetInt64() > 0);
        Assert.Contains(record.GetProperty("inputs").EnumerateArray(), i => i.GetProperty("path").GetString()!.EndsWith("corpus.jsonl", StringComparison.Ordinal));
        Assert.NotEqual(0, record.GetProperty("final_loss").GetDouble());
        Assert.Equal(7, File.ReadLines(Path.Combine(_directory["model"], "training.csv")).Count());
        Assert.Single(Directory.GetFiles(Path.Combine(_directory["model"], "tensorboard")));

        // The same file as JSON says the same.
        File.WriteAllText(_directory["run.json"], JsonSerializer.Serialize(new Dictionary<string, object> { ["data"] = data, ["new"] = true, ["type"] = "sparse", ["steps"] = 6 }));
        Assert.Equal(["--data", data, "--new", "--type", "sparse", "--steps", "6"], RunFile.Read(_directory["run.json"]));

        CliResult again = Succeed("reproduce", Path.Combine(_directory["model"], "train.json"));
        Assert.Contains("reproduced: 6 steps with equal losses, and the same weights", again.Output, StringComparison.Ordinal);

        string corpus = Path.Combine(data, "corpus.jsonl");
        File.AppendAllText(corpus, "\n");
        CliResult changed = Cli.Run("reproduce", Path.Combine(_directory["model"], "train.json"), "--output", _directory["other"]);
        Assert.Equal(ExitCode.BadInput, changed.ExitCode);
        Assert.Contains($"{corpus}: has changed", changed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ADifferentLossIsFound()
    {
        string data = SmallCollection.Write(_directory["data"]);
        Succeed("train", "--data", data, "--new", "--type", "dense", "--steps", "4", "--batch", "8", "--hidden-size", "16", "--heads", "2", "--layers", "1", "--vocabulary-size", "340", "--output", _directory["model"]);
        string history = Path.Combine(_directory["model"], "training.jsonl");
        string[] lines = File.ReadAllLines(history);
        lines[2] = lines[2].Replace("\"loss\":", "\"loss\":1", StringComparison.Ordinal);
        File.WriteAllLines(history, lines);
        CliResult result = Cli.Run("reproduce", Path.Combine(_directory["model"], "train.json"), "--output", _directory["again"]);
        Assert.Equal(ExitCode.BadInput, result.ExitCode);
        Assert.Contains("differs from step 3 on", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void APresetIsPrintedWithItsCost()
    {
        CliResult printed = Succeed("train", "--preset", "1b-dense-kd", "--dry-run", "--output", _directory["none"], "--threads", "1");
        Assert.Contains("1b-dense-kd: meta-llama/Llama-3.2-1B, LoRA rank 16", printed.Output, StringComparison.Ordinal);
        Assert.Contains("--loss margin-mse --batch 1024", printed.Output, StringComparison.Ordinal);
        Assert.Contains("memory plan: ", printed.Output, StringComparison.Ordinal);
        Assert.Contains("operations: ", printed.Output, StringComparison.Ordinal);
        Assert.Contains("time: about ", printed.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_directory["none"]));

        string data = SmallCollection.Write(_directory["data"]);
        CliResult own = Succeed("train", "--data", data, "--new", "--type", "sparse", "--steps", "6", "--batch", "8", "--hidden-size", "16", "--heads", "2", "--layers", "1", "--vocabulary-size", "340", "--dry-run", "--output", _directory["none"]);
        Assert.Contains("steps: 6 of 8 queries", own.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_directory["none"]));
    }

    [Theory]
    [InlineData("steps: [1, {a: 2}]", "steps")]
    [InlineData("- 1\n- 2", "not a mapping")]
    [InlineData("stepz: 3", "unknown flag")]
    public void WhatIsNoRunIsRefused(string text, string message)
    {
        File.WriteAllText(_directory["bad.yaml"], text);
        CliResult result = Cli.Run("train", "--config", _directory["bad.yaml"], "--output", _directory["none"]);
        Assert.NotEqual(0, result.ExitCode);
        Assert.Single(result.ErrorLines);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    public void Dispose() => _directory.Dispose();

    private static CliResult Succeed(params string[] args)
    {
        CliResult result = Cli.Run(args);
        Assert.True(result.ExitCode == 0, $"tern {string.Join(' ', args)}: {result.Error}");
        return result;
    }
}
