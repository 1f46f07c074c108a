using System.Text.Json;
using Tern.Pipelines.Tests.Demo;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests;

public sealed class DemoCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public void TheDemoLeavesAnIndexThatAnswersQuestions()
    {
        MadeUpCollection.Write(_directory["data"]);
        CliResult json = Demo("--json");
        Assert.Equal(ExitCode.Ok, json.ExitCode);
        JsonElement results = JsonDocument.Parse(json.Output).RootElement;
        Assert.InRange(results.GetProperty("sparse").GetProperty("rr10").GetDouble(), 0, 1);
        Assert.Equal(4, results.GetProperty("sparse_training").GetProperty("steps").GetInt32());
        Assert.Contains("Train the sparse model", json.Error, StringComparison.Ordinal);

        CliResult again = Demo();
        Assert.Equal(ExitCode.Ok, again.ExitCode);
        Assert.All(again.ErrorLines, line => Assert.Contains("kept", line, StringComparison.Ordinal));
        Assert.Contains("hybrid", again.Output, StringComparison.Ordinal);
        string index = Path.Combine(_directory["out"], "index", "sparse");
        Assert.Contains($"--index {index} ", again.Output, StringComparison.Ordinal);

        string query = JsonDocument.Parse(File.ReadLines(Path.Combine(_directory["data"], "queries.jsonl")).First()).RootElement.GetProperty("text").GetString()!;
        CliResult search = Cli.Run("search", "--index", index, "--json", query);
        Assert.Equal("", search.Error);
        Assert.NotEqual(0, JsonDocument.Parse(search.Output).RootElement.GetProperty("hits").GetArrayLength());
    }

    [Fact]
    public void ADirectoryThatIsNoCollectionIsNamed()
    {
        Directory.CreateDirectory(_directory["data"]);
        CliResult result = Demo();
        Assert.Equal(ExitCode.BadInput, result.ExitCode);
        Assert.Contains("corpus.jsonl: not found", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_directory["out"], "results.json")));
    }

    public void Dispose() => _directory.Dispose();

    private CliResult Demo(params string[] more) =>
        Cli.Run(["demo", "--data", _directory["data"], "--output", _directory["out"], "--steps-sparse", "4", "--steps-dense", "2", .. more]);
}
