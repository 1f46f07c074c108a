using System.Text.Json;
using Tern.Retrieval;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests;

public sealed class EvalCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public EvalCommandTests()
    {
        File.WriteAllText(_directory["q"], "1 0 a 3\n1 0 b 2\n1 0 c 1\n2 0 x 1\n3 0 x 1\n");
        File.WriteAllText(_directory["r"], "1 Q0 c 1 4 run\n1 Q0 a 2 3 run\n1 Q0 z 3 2 run\n1 Q0 b 4 1 run\n2 Q0 y 1 2 run\n2 Q0 x 2 1 run\n");
    }

    [Fact]
    public void TheUsualReportNamesTheRun()
    {
        CliResult result = Run();
        Assert.Equal($"{"runid",-22}\tall\trun", result.Lines[0]);
        Assert.Equal($"{"num_q",-22}\tall\t2", result.Lines[1]);
        Assert.Contains($"{"recip_rank",-22}\tall\t0.7500", result.Lines);
        Assert.Equal("note: 1 of 3 judged topics are not in the run and do not count; -c counts them as 0", Assert.Single(result.ErrorLines));
    }

    [Theory]
    [InlineData("ndcg_cut.10 -c", "ndcg_cut_10", 0.4731)] // (0.7884 + 0.6309 + 0) / 3
    [InlineData("nDCG@10", "nDCG@10", 0.7097)]
    [InlineData("RR@1", "RR@1", 0.5)]
    [InlineData("recip_rank -M 1", "recip_rank", 0.5)]
    [InlineData("recip_rank -M1", "recip_rank", 0.5)]
    [InlineData("recip_rank -l 2", "recip_rank", 0.25)]
    [InlineData("-m recip_rank -l2", "recip_rank", 0.25)]
    [InlineData("P(rel=2)@2", "P(rel=2)@2", 0.25)]
    public void MeasuresAndOptionsAreTrecEvals(string arguments, string name, double expected)
    {
        CliResult result = Run([.. arguments.Split(' '), "--json"]);
        JsonProperty measure = Assert.Single(JsonDocument.Parse(result.Output).RootElement.GetProperty("measures").EnumerateObject());
        Assert.Equal(name.Replace(".", "_", StringComparison.Ordinal), measure.Name.Replace(".", "_", StringComparison.Ordinal));
        Assert.Equal(expected, measure.Value.GetDouble(), 4);
    }

    [Fact]
    public void TopicsAreShownOnRequest()
    {
        Assert.Equal(
            [$"{"RR",-22}\t1\t1.0000", $"{"RR",-22}\t2\t0.5000", $"{"RR",-22}\t3\t0.0000", $"{"RR",-22}\tall\t0.5000"],
            Run("RR", "-q", "-c", "--semantics", "trec10").Lines);
        Assert.DoesNotContain("\t3\t", Run("RR", "-q", "-c").Output, StringComparison.Ordinal);
        Assert.Contains("0.5000", Run("RR", "-cq", "--format", "table").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void ComparingCountsWinsAndTies()
    {
        File.WriteAllText(_directory["b"], "1 Q0 c 1 4 run\n2 Q0 x 1 2 run\n");
        CliResult result = Cli.Run("compare", _directory["q"], _directory["r"], _directory["b"], "RR", "--json");
        JsonElement root = JsonDocument.Parse(result.Output).RootElement;
        Assert.Equal(2, root.GetProperty("topics").GetInt32());
        JsonElement rr = root.GetProperty("measures")[0];
        Assert.Equal((0.75, 1.0, 0.25), (rr.GetProperty("a").GetDouble(), rr.GetProperty("b").GetDouble(), rr.GetProperty("difference").GetDouble()));
        Assert.Equal((1, 0, 1), (rr.GetProperty("wins").GetInt32(), rr.GetProperty("losses").GetInt32(), rr.GetProperty("ties").GetInt32()));
        Assert.Contains("2 topics", Cli.Run("compare", _directory["q"], _directory["r"], _directory["b"]).Output, StringComparison.Ordinal);
        string[] same = Cli.Run("compare", _directory["q"], _directory["r"], _directory["r"], "RR").Lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["RR", _directory["r"], _directory["r"], "0.7500", "0.7500", "0.0000", "0.0000", "..", "0.0000", "1.0000", "1.0000", "0", "0", "2"], same);
        Assert.Equal(3, JsonDocument.Parse(Cli.Run("compare", "-c", _directory["q"], _directory["r"], _directory["b"], "--json").Output).RootElement.GetProperty("topics").GetInt32());
    }

    [Fact]
    public void SeveralRunsAreComparedWithTheFirstOrEachWithEach()
    {
        File.WriteAllText(_directory["b"], "1 Q0 c 1 4 run\n2 Q0 x 1 2 run\n");
        File.WriteAllText(_directory["c"], "1 Q0 z 1 4 run\n2 Q0 x 1 2 run\n");
        string[] command = ["compare", _directory["q"], _directory["r"], _directory["b"], _directory["c"], "RR", "R@1", "--json"];
        JsonElement first = JsonDocument.Parse(Cli.Run(command).Output).RootElement;
        Assert.Equal(["RR b", "RR c", "R@1 b", "R@1 c"], first.GetProperty("measures").EnumerateArray().Select(m => $"{m.GetProperty("measure").GetString()} {m.GetProperty("run_b").GetString()}"));
        double[] p = [.. first.GetProperty("measures").EnumerateArray().Select(m => m.GetProperty("p").GetDouble())];
        Assert.Equal(HolmCorrection.Adjust(p), first.GetProperty("measures").EnumerateArray().Select(m => m.GetProperty("p_holm").GetDouble()));
        Assert.Equal(6, JsonDocument.Parse(Cli.Run([.. command, "--pairs", "all"]).Output).RootElement.GetProperty("measures").GetArrayLength());
        JsonElement topic = JsonDocument.Parse(Cli.Run([.. command, "-q"]).Output).RootElement.GetProperty("per_topic").GetProperty("1");
        Assert.Equal([1.0, 1.0, 0.0], topic.GetProperty("RR").EnumerateArray().Select(v => v.GetDouble()));
        CliResult table = Cli.Run([.. command[..^1], "-q", "--format", "markdown"]);
        Assert.Contains("| 2 | RR | 0.5000 | 1.0000 | 1.0000 | +0.5000 | +0.5000 |", table.Lines);
    }

    [Fact]
    public void ReportsForPapersCarryTheNumbersAndWhatTheyAverage()
    {
        Assert.Equal("| run | 0.5000 |", Run("RR@10", "-c", "--format", "markdown").Lines[2]);
        CliResult latex = Run("RR@10", "R_cap@10", "--format", "latex");
        Assert.Equal("run & RR@10 & R\\_cap@10 \\\\", latex.Lines[2]);
        Assert.Contains("% mean over the 2 topics that are judged and in the run; 1 judged topics are not in it", latex.Lines);
        JsonElement json = JsonDocument.Parse(Run("nDCG@10", "RR@10", "-c", "--json").Output).RootElement;
        Assert.Equal(json.GetProperty("measures").GetProperty("nDCG@10").GetDouble(), json.GetProperty("mteb").GetProperty("main_score").GetDouble());
        Assert.Equal(json.GetProperty("measures").GetProperty("RR@10").GetDouble(), json.GetProperty("mteb").GetProperty("mrr_at_10").GetDouble());
        Assert.Contains("1 without results count as 0", json.GetProperty("averaging").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void DocumentsThatAreTheirTopicAreDroppedByBeirsRule()
    {
        File.WriteAllText(_directory["beir"], "query-id\tcorpus-id\tscore\n1\ta\t1\n2\tx\t1\n");
        File.WriteAllText(_directory["own"], "1 Q0 1 1 9 run\n1 Q0 a 2 8 run\n2 Q0 2 1 9 run\n2 Q0 x 2 8 run\n");
        string Value(params string[] flags) => Cli.Run(["eval", _directory["beir"], _directory["own"], "RR", .. flags]).Lines[0].Split('\t')[2];
        Assert.Equal(["1.0000", "1.0000", "0.5000"], [Value(), Value("--ignore-identical-ids", "on"), Value("--ignore-identical-ids", "off")]);
        Assert.Contains("2 of 2 topics list a document of their own id, dropped (--ignore-identical-ids auto)", Cli.Run("eval", _directory["beir"], _directory["own"]).Error, StringComparison.Ordinal);
        File.WriteAllText(_directory["trec"], "1 0 a 1\n2 0 x 1\n");
        Assert.Contains("kept", Cli.Run("eval", _directory["trec"], _directory["own"]).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(3, "1 of 3 judged topics are missing", "--semantics", "trec10")]
    [InlineData(3, "r:1: a line of this run has 3 fields", "--run-format", "msmarco")]
    [InlineData(3, "a BEIR judgement has 3 fields", "--qrels-format", "beir")]
    [InlineData(2, "unknown measure 'nDCG@x'", "nDCG@x")]
    [InlineData(2, "--ties: 'random' is none of", "--ties", "random")]
    public void WhatIsWrongIsSaidInOneLine(int code, string problem, params string[] arguments)
    {
        CliResult result = Cli.Run(["eval", _directory["q"], _directory["r"], .. arguments]);
        Assert.Equal(code, result.ExitCode);
        Assert.Contains(problem, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
        Assert.Empty(result.Output);
    }

    [Fact]
    public void RunsAndJudgementsAreConverted()
    {
        Assert.Equal(ExitCode.Ok, Cli.Run("data", "convert", _directory["r"], _directory["r.json"], "--as", "run").ExitCode);
        Assert.Equal(ExitCode.Ok, Cli.Run("data", "convert", _directory["r.json"], _directory["r.tsv"], "--as", "run", "--to", "msmarco").ExitCode);
        Assert.Equal("1\tc\t1\n1\ta\t2\n1\tz\t3\n1\tb\t4\n2\ty\t1\n2\tx\t2\n", File.ReadAllText(_directory["r.tsv"]));
        Assert.Equal(ExitCode.Ok, Cli.Run("data", "convert", _directory["q"], _directory["q.tsv"], "--as", "qrels", "--to", "beir").ExitCode);
        Assert.Equal(Run("-c").Lines.Skip(1), Cli.Run("eval", "-c", _directory["q.tsv"], _directory["r.tsv"]).Lines.Skip(1));
        CliResult wrong = Cli.Run("data", "convert", _directory["r"], _directory["x"], "--as", "run", "--to", "beir");
        Assert.Equal((ExitCode.Usage, "tern: --to beir: no layout of a run"), (wrong.ExitCode, Assert.Single(wrong.ErrorLines)));
        Assert.False(File.Exists(_directory["x"]));
    }

    public void Dispose() => _directory.Dispose();

    private CliResult Run(params string[] arguments)
    {
        CliResult result = Cli.Run(["eval", _directory["q"], _directory["r"], .. arguments]);
        Assert.Equal(ExitCode.Ok, result.ExitCode);
        return result;
    }
}
