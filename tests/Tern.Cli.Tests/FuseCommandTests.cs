using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests;

public sealed class FuseCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public FuseCommandTests()
    {
        // Min and max of each topic: a 1, b 0.5, c 0 in the first; c 1, d 0 in the second.
        Write("a.trec", "1 a 10", "1 b 6", "1 c 2");
        Write("b.trec", "1 c 0.9", "1 d 0.1");
    }

    [Theory]
    [InlineData("--weights 0.6,0.4", "a 0.6 c 0.4 b 0.3 d 0")]
    [InlineData("", "c 0.5 a 0.5 b 0.25 d 0")]
    [InlineData("--weights 1,0 --k 2", "a 1 d 0")] // each run is cut before its scores are brought to [0, 1]; of equals the later id
    public void WeightedScoresAddUp(string arguments, string expected)
    {
        Succeed(arguments);
        Assert.Equal(expected, Ranking("out.trec"));
    }

    [Fact]
    public void ReciprocalRanksNeedNoScores()
    {
        Succeed("--method rrf");
        Assert.Equal(["c", "a", "d", "b"], Ranking("out.trec").Split(' ').Where((_, i) => i % 2 == 0));
    }

    [Fact]
    public void WeightsAreThoseThatDoBestOnTheDevelopmentTopics()
    {
        // Only the second system puts first what is relevant there; with equal weights y is first, as the later id.
        Write("dev.a.trec", "7 y 3", "7 x 2");
        Write("dev.b.trec", "7 x 3", "7 y 2");
        File.WriteAllText(_directory["dev.tsv"], "7 0 x 1\n");
        CliResult result = Succeed($"--tune-run {_directory["dev.a.trec"]} --tune-run {_directory["dev.b.trec"]} --tune-qrels {_directory["dev.tsv"]}");
        Assert.Contains("0.4 × a.trec + 0.6 × b.trec; RR@10 1.0000 on the development topics", result.Output, StringComparison.Ordinal);
        Assert.Equal("c", Ranking("out.trec").Split(' ')[0]);
    }

    [Theory]
    [InlineData("--weights 1", "1 given for 2 runs")]
    [InlineData("--weights 1,x", "'x' is not a number")]
    [InlineData("--weights 1,-1", "'-1' is not a number of at least 0")]
    [InlineData("--method rrf --weights 1,1", "rrf has no weights")]
    [InlineData("--tune-run x", "go together")]
    [InlineData("--tune-run x --tune-qrels y", "1 given for 2 runs")]
    public void ContradictionsAreUsageErrors(string arguments, string problem)
    {
        CliResult result = Fuse(arguments);
        Assert.Equal(ExitCode.Usage, result.ExitCode);
        Assert.Contains(problem, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
        Assert.False(File.Exists(_directory["out.trec"]));
    }

    public void Dispose() => _directory.Dispose();

    private void Write(string name, params string[] lines) =>
        File.WriteAllLines(_directory[name], lines.Select((line, i) => line.Split(' ') is [var topic, var document, var score] ? $"{topic} Q0 {document} {i + 1} {score} r" : ""));

    private string Ranking(string name) => string.Join(' ', Retrieval.Run.Read(_directory[name])["1"].Select(d => FormattableString.Invariant($"{d.Id} {d.Score:0.###}")));

    private CliResult Fuse(string arguments) =>
        Cli.Run(["fuse", "--run", _directory["a.trec"], "--run", _directory["b.trec"], "--output", _directory["out.trec"], .. arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);

    private CliResult Succeed(string arguments)
    {
        CliResult result = Fuse(arguments);
        Assert.Equal("", result.Error);
        Assert.Equal(ExitCode.Ok, result.ExitCode);
        return result;
    }
}
