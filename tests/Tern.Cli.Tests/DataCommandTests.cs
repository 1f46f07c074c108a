using System.Text.Json;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests;

public sealed class DataCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public void CheckCountsWhatIsThere()
    {
        CliResult result = Cli.Run("data", "check", SmallCollection.Write(_directory["data"]), "--json");
        Assert.Equal(ExitCode.Ok, result.ExitCode);
        JsonElement files = JsonDocument.Parse(result.Output).RootElement.GetProperty("files");
        Assert.Equal([("corpus", 48), ("queries", 48), ("qrels", 12), ("qrels", 36)], files.EnumerateArray().Select(f => (f.GetProperty("kind").GetString()!, f.GetProperty("records").GetInt32())));
        Assert.Equal(5, files[1].GetProperty("words_max").GetDouble());
    }

    [Fact]
    public void CheckListsWhatDoesNotFitTogether()
    {
        string data = SmallCollection.Write(_directory["data"]);
        File.AppendAllLines(Path.Combine(data, "qrels", "test.tsv"), ["q-none\tred-fox\t1", "q-red-fox\tpink-fox\t1"]);
        File.AppendAllText(Path.Combine(data, "corpus.jsonl"), "{\"_id\":\"e\",\"title\":\"\",\"text\":\"\"}\n");
        CliResult result = Cli.Run("data", "check", data);
        Assert.Equal(ExitCode.BadInput, result.ExitCode);
        Assert.Contains("1 topics are not in queries, the first is 'q-none'", result.Output, StringComparison.Ordinal);
        Assert.Contains("1 documents are not in the corpus, the first is 'pink-fox'", result.Output, StringComparison.Ordinal);
        Assert.Contains("1 texts are empty", result.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Ok, Cli.Run("data", "stats", data).ExitCode);
    }

    [Fact]
    public void TheSdkBecomesACollection()
    {
        foreach ((string pack, string member, string summary) in new[]
        {
            ("Microsoft.NETCore.App.Ref", "Quack", "Makes the duck say something that all others hear."),
            ("Microsoft.AspNetCore.App.Ref", "SwimAway", "Moves the duck to the other side of the pond."),
        })
        {
            string folder = Path.Combine(_directory["dotnet"], "packs", pack, "10.0.0", "ref", "net10.0");
            Directory.CreateDirectory(folder);
            File.WriteAllText(Path.Combine(folder, "System.Pond.xml"), $"""
                <doc><assembly><name>System.Pond</name></assembly><members>
                <member name="M:System.Pond.Duck.{member}"><summary>{summary}</summary></member>
                </members></doc>
                """);
        }

        CliResult result = Cli.Run("data", "sdk", "--dotnet-root", _directory["dotnet"], "--output", _directory["sdk"]);
        Assert.Equal("", result.Error);
        Assert.Contains("2 documented members", result.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Ok, Cli.Run("data", "stats", _directory["sdk"]).ExitCode);
        Assert.Equal("", Cli.Run("index", "--corpus", _directory["sdk"], "--bm25", "--output", _directory["index"]).Error);
        string found = Cli.Run("search", "--index", _directory["index"], "swim away").Output;
        Assert.Contains("System.Pond.Duck.SwimAway", found, StringComparison.Ordinal);
        Assert.Contains("Moves the duck to the other side of the pond.", found, StringComparison.Ordinal);

        CliResult missing = Cli.Run("data", "sdk", "--dotnet-root", _directory["none"], "--output", _directory["out"]);
        Assert.Equal(ExitCode.BadInput, missing.ExitCode);
        Assert.Contains(_directory["none"], Assert.Single(missing.ErrorLines), StringComparison.Ordinal);
        Assert.False(Directory.Exists(_directory["out"]));
    }

    [Fact]
    public void ASingleFileIsWhatOneSaysItIs()
    {
        File.WriteAllLines(_directory["list.tsv"], ["1\ta b c", "2\td"]);
        foreach ((string kind, int code) in new[] { ("corpus", ExitCode.Ok), ("queries", ExitCode.Ok), ("qrels", ExitCode.BadInput) })
        {
            Assert.Equal(code, Cli.Run("data", "check", _directory["list.tsv"], "--as", kind).ExitCode);
        }

        Assert.Equal(ExitCode.Usage, Cli.Run("data", "check", _directory["list.tsv"], "--as", "poems").ExitCode);
    }

    [Fact]
    public void ATokenizerIsLearnedFromCorpora()
    {
        CliResult result = Cli.Run("data", "tokenizer", "--input", SmallCollection.Write(_directory["data"]), "--vocab_size", "320", "--lowercase", "--output", _directory["tokenizer.json"]);
        Assert.Equal("", result.Error);
        var tokenizer = Text.Tokenizer.Load(_directory["tokenizer.json"]);
        Assert.Equal(320, tokenizer.VocabularySize);
        List<int> upper = [];
        List<int> lower = [];
        tokenizer.Encode(" HORSE", upper);
        tokenizer.Encode(" horse", lower);
        Assert.Equal(lower, upper);
    }

    [Fact]
    public void AVocabularyOfWordsHasOneEntryWhereverAWordStands()
    {
        string data = SmallCollection.Write(_directory["data"]);
        foreach (string splitting in new[] { "words", "leading-spaces" })
        {
            Cli.Run("data", "tokenizer", "--input", data, "--vocabulary-size", "320", "--splitting", splitting, "--output", _directory[splitting]);
        }

        Assert.Equal(Encode("words", "horse"), Encode("words", " horse"));
        Assert.NotEqual(Encode("leading-spaces", "horse"), Encode("leading-spaces", " horse"));

        List<int> Encode(string splitting, string text)
        {
            List<int> ids = [];
            Text.Tokenizer.Load(_directory[splitting]).Encode(text, ids);
            return ids;
        }
    }

    [Fact]
    public void TeacherScoresByQueryIdBecomeExamples()
    {
        File.WriteAllText(_directory["queries.tsv"], "1\tred horse\n2\tblue bird\n");
        File.WriteAllText(_directory["scores.jsonl"], """
            {"qid": "1", "pos": [["a", 3], ["b", 2.5]], "neg": [["c", 1], ["d", -0.5]]}
            {"qid": "2", "pos": [["d", 4]], "neg": [["a", 0]]}

            """);
        CliResult result = Cli.Run("data", "examples", _directory["scores.jsonl"], "--queries", _directory["queries.tsv"], "--negatives", "2", "--output", _directory["train.jsonl"]);
        Assert.Equal("", result.Error);
        Assert.Contains("2 examples, 1 queries with too few negatives left out", result.Output, StringComparison.Ordinal);
        Assert.Equal(
            ["red horse a 3 c,d 1,-0.5", "red horse b 2.5 c,d 1,-0.5"],
            Text.TrainingExampleReader.Read(_directory["train.jsonl"]).Select(e => FormattableString.Invariant($"{e.Query} {e.PositiveId} {e.PositiveScore} {string.Join(',', e.NegativeIds)} ") + string.Join(',', e.NegativeScores!.Select(s => FormattableString.Invariant($"{s}")))));

        File.WriteAllText(_directory["queries.tsv"], "1\tred horse\n");
        CliResult unknown = Cli.Run("data", "examples", _directory["scores.jsonl"], "--queries", _directory["queries.tsv"], "--output", _directory["other.jsonl"]);
        Assert.Equal(ExitCode.BadInput, unknown.ExitCode);
        Assert.Contains(_directory["scores.jsonl"] + ":2: query '2'", unknown.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(_directory["other.jsonl"]));
    }

    public void Dispose() => _directory.Dispose();
}
