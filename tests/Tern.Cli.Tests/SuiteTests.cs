using System.Text.Json;
using Tern.Model;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests;

public sealed class SuiteTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public SuiteTests()
    {
        SmallCollection.Write(_directory["suite/animals"]);
        SmallCollection.Write(_directory["suite/forums/one"]);
        SmallCollection.Write(_directory["suite/forums/two"]);
        Directory.CreateDirectory(_directory["suite/notes"]);

        // Topics that are documents, as in ArguAna: each finds itself first.
        Directory.CreateDirectory(_directory["suite/pairs/qrels"]);
        File.WriteAllLines(_directory["suite/pairs/corpus.jsonl"], ["{\"_id\":\"a\",\"text\":\"red fox\"}", "{\"_id\":\"b\",\"text\":\"red dog fox\"}", "{\"_id\":\"c\",\"text\":\"blue bird\"}", "{\"_id\":\"d\",\"text\":\"blue bird bird\"}"]);
        File.WriteAllLines(_directory["suite/pairs/queries.jsonl"], ["{\"_id\":\"a\",\"text\":\"red fox\"}", "{\"_id\":\"c\",\"text\":\"blue bird\"}"]);
        File.WriteAllLines(_directory["suite/pairs/qrels/dev.tsv"], ["query-id\tcorpus-id\tscore", "a\tb\t1", "c\td\t1"]);
    }

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void EveryDatasetIsMeasuredAndAnsweredOnce()
    {
        CliResult first = Cli.Run("evaluate", "--suite", _directory["suite"], "--bm25", "--output", _directory["out"], "RR@10", "R@2", "--format", "markdown");
        Assert.True(first.ExitCode == ExitCode.Ok, first.Error);
        Assert.Equal(["animals (test)", "forums/one (test)", "forums/two (test)", "pairs (dev)"], first.ErrorLines.Select(l => l[..l.IndexOf(':')]));
        Assert.Contains("dropped: 2 of 2 topics found themselves", first.ErrorLines[3], StringComparison.Ordinal);
        Assert.Equal("| pairs | 2 | 1.0000 | 1.0000 | 1.0000 |", first.Lines.Single(l => l.StartsWith("| pairs", StringComparison.Ordinal)));

        // Each run's figures are those that tern eval finds in it, and the mean counts the forums as one.
        double[] values = [.. new[] { "animals", "forums/one", "forums/two" }.Select(name =>
        {
            CliResult one = Cli.Run("eval", "-c", _directory[$"suite/{name}/qrels/test.tsv"], _directory[$"out/runs/{name}.run.gz"], "RR@10", "--json");
            double value = JsonDocument.Parse(one.Output).RootElement.GetProperty("measures").GetProperty("RR@10").GetDouble();
            Assert.Equal(value, Json($"out/{name}.json").GetProperty("measures").GetProperty("RR@10").GetDouble());
            return value;
        })];
        JsonElement summary = Json("out/summary.json");
        Assert.Equal((values[0] + ((values[1] + values[2]) / 2) + 1) / 3, summary.GetProperty("mean").GetProperty("MRR@10").GetDouble(), 5);
        JsonElement scores = Json("out/pairs.json").GetProperty("scores").GetProperty("dev")[0];
        Assert.Equal(1, scores.GetProperty("main_score").GetDouble());
        Assert.Equal(1, scores.GetProperty("recall_at_2").GetDouble());
        Assert.Contains("\\toprule", File.ReadAllText(_directory["out/summary.tex"]), StringComparison.Ordinal);
        Assert.Contains("| mean |", File.ReadAllText(_directory["out/summary.md"]), StringComparison.Ordinal);

        // What is there is not made again; what depends on something else is.
        File.AppendAllText(_directory["suite/animals/corpus.jsonl"], "{\"_id\":\"more\",\"text\":\"a green fox\"}\n");
        CliResult second = Cli.Run("eval", "--suite", _directory["suite"], "--bm25", "--output", _directory["out"], "RR@10", "R@2");
        Assert.Equal([false, true, true, true], second.ErrorLines.Select(l => l.Contains("already done", StringComparison.Ordinal)));
    }

    [Fact]
    public void AModelIsMeasuredAndAMalformedDatasetIsLeftOut()
    {
        string model = TinyModel.Write(_directory["model"], RepresentationKind.Sparse);
        File.AppendAllText(_directory["suite/animals/qrels/test.tsv"], "nobody\tx\t1\n");
        CliResult result = Cli.Run("eval", "--suite", _directory["suite"], "--model", model, "--output", _directory["out"], "--only", "animals", "--only", "pairs", "--json");
        Assert.Equal(ExitCode.BadInput, result.ExitCode);
        Assert.Contains("topic 'nobody' is not among the queries", result.ErrorLines[0], StringComparison.Ordinal);
        JsonElement summary = JsonDocument.Parse(result.Output).RootElement;
        Assert.False(summary.TryGetProperty("mean", out _));
        Assert.Equal("animals", summary.GetProperty("left_out")[0].GetString());
        Assert.True(summary.GetProperty("datasets").GetProperty("pairs").TryGetProperty("NDCG@10", out _));
    }

    [Theory]
    [InlineData("--bm25", "--suite needs --output")]
    [InlineData("--output out", "either --model DIR or --bm25")]
    [InlineData("--output out --bm25 --only nothing", "there are animals, forums/one")]
    public void WhatIsMissingIsNamed(string flags, string expected)
    {
        CliResult result = Cli.Run(["eval", "--suite", _directory["suite"], .. flags.Split(' ')]);
        Assert.Equal(ExitCode.Usage, result.ExitCode);
        Assert.Contains(expected, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    private JsonElement Json(string path) => JsonDocument.Parse(File.ReadAllText(_directory[path])).RootElement;
}
