using System.Text.Json;
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
        Assert.Equal("note: 1 of 3 judged topics are not in " + _directory["r"] + " and do not count; -c counts them as 0", Assert.Single(result.ErrorLines));
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
            Run("RR", "-q", "-c").Lines);
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
        Assert.Equal(["RR", "0.7500", "0.7500", "0.0000", "0.0000", "..", "0.0000", "1.0000", "0", "0", "2"], same);
        Assert.Equal(3, JsonDocument.Parse(Cli.Run("compare", "-c", _directory["q"], _directory["r"], _directory["b"], "--json").Output).RootElement.GetProperty("topics").GetInt32());
    }

    public void Dispose() => _directory.Dispose();

    private CliResult Run(params string[] arguments)
    {
        CliResult result = Cli.Run(["eval", _directory["q"], _directory["r"], .. arguments]);
        Assert.Equal(ExitCode.Ok, result.ExitCode);
        return result;
    }
}
