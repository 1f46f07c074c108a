using Tern.Model;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests;

/// <summary>Bad input: one line that names what and where, the right exit code, and no output left behind.</summary>
public sealed class BadInputTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public void TruncatedSafetensors()
    {
        string model = Path.Combine(Model(), "model.safetensors");
        File.WriteAllBytes(model, File.ReadAllBytes(model)[..^100]);
        Fails(ExitCode.BadInput, [model], "index", "--corpus", Data(), "--model", _directory["model"], "--output", _directory["out"]);
        Fails(ExitCode.BadInput, [model], "encode", "--side", "query", "--input", Data(), "--model", _directory["model"], "--output", _directory["out"]);
        Fails(ExitCode.BadInput, [model], "model", "info", _directory["model"]);
        Fails(ExitCode.BadInput, [model], "train", "--model", _directory["model"], "--data", Data(), "--steps", "2", "--output", _directory["out"]);
    }

    [Fact]
    public void ATsvLineWithOneField()
    {
        string path = _directory["corpus.tsv"];
        File.WriteAllLines(path, ["1\tone", "2\ttwo", "three"]);
        string place = path + ":3:";
        Fails(ExitCode.BadInput, [place, "found 1", "two fields"], "index", "--corpus", path, "--bm25", "--output", _directory["out"]);
        Fails(ExitCode.BadInput, [place], "index", "--corpus", path, "--model", Model(), "--output", _directory["out"]);
        Fails(ExitCode.BadInput, [place], "encode", "--model", _directory["model"], "--side", "document", "--input", path, "--output", _directory["out"]);
        Fails(ExitCode.BadInput, [place], "data", "check", path);
        Fails(ExitCode.BadInput, [place], "data", "tokenizer", "--input", path, "--output", _directory["out"]);
        File.WriteAllText(_directory["train.jsonl"], "{\"question\":\"q\",\"pos_pid\":\"1\",\"neg_pids\":[\"2\"]}\n");
        Fails(ExitCode.BadInput, [place], "train", "--new", "--type", "sparse", "--train", _directory["train.jsonl"], "--corpus", path, "--steps", "2", "--vocabulary-size", "300", "--output", _directory["out"]);
        Index("--bm25");
        Fails(ExitCode.BadInput, [place], "search", "--index", _directory["index"], "--queries", path, "--run", _directory["out"]);
    }

    [Fact]
    public void ATrainingLineThatIsNotJson()
    {
        string path = _directory["train.jsonl"];
        File.WriteAllLines(path, ["{\"question\":\"q\",\"pos_pid\":\"red-fox\",\"neg_pids\":[]}", "{\"question\":"]);
        Fails(ExitCode.BadInput, [path + ":2:"], "train", "--new", "--type", "dense", "--train", path, "--corpus", Data(), "--steps", "2", "--vocabulary-size", "300", "--output", _directory["out"]);
    }

    [Theory]
    [InlineData("index --corpos x --bm25", "--corpos", "--corpus")]
    [InlineData("train --learning_rat 1", "--learning_rat", "--learning-rate")]
    [InlineData("eval a b --formt json", "--formt", "--format")]
    [InlineData("search --indx a b", "--indx", "--index")]
    [InlineData("model info x --jso", "--jso", "--json")]
    [InlineData("train --lora", "--lora", "give --lora-rank 16")]
    public void AnUnknownFlag(string line, string flag, string advice)
    {
        Fails(ExitCode.Usage, [flag, advice], line.Split(' '));
    }

    [Fact]
    public void AMissingDirectory()
    {
        string missing = _directory["missing"];
        Fails(ExitCode.BadInput, [missing], "index", "--corpus", missing, "--bm25", "--output", _directory["out"]);
        Fails(ExitCode.BadInput, [missing], "index", "--corpus", Data(), "--model", missing, "--output", _directory["out"]);
        Fails(ExitCode.BadInput, [missing], "search", "--index", missing, "words");
        Fails(ExitCode.BadInput, [missing], "explain", "--index", missing, "--query", "a", "--doc", "b");
        Fails(ExitCode.BadInput, [missing], "encode", "--model", missing, "--side", "query", "--input", Data(), "--output", _directory["out"]);
        Fails(ExitCode.BadInput, [missing], "encode", "--model", Model(), "--side", "query", "--input", missing, "--output", _directory["out"]);
        Fails(ExitCode.BadInput, [missing], "encode", "--model", Model(), "--side", "query", "--input", Data(), "--output", Path.Combine(missing, "out"));
        Fails(ExitCode.BadInput, [missing], "train", "--new", "--type", "sparse", "--data", missing, "--steps", "1", "--output", _directory["out"]);
        Fails(ExitCode.BadInput, [missing], "train", "--model", missing, "--data", Data(), "--steps", "1", "--output", _directory["out"]);
        Fails(ExitCode.BadInput, [missing], "eval", missing, missing);
        Fails(ExitCode.BadInput, [missing], "data", "check", missing);
        Fails(ExitCode.BadInput, [missing], "model", "selftest", missing);
    }

    [Fact]
    public void AnIndexOfAnotherModel()
    {
        Index("--model", Model());
        TinyModel.Write(_directory["model"], RepresentationKind.Sparse, seed: 2);
        string index = _directory["index"];
        Fails(ExitCode.BadInput, [index, "another model"], "search", "--index", index, "fox");
        Fails(ExitCode.BadInput, [index, "another model"], "search", "--index", index, "--queries", Data(), "--run", _directory["out"]);
        Fails(ExitCode.BadInput, [index, "another model"], "explain", "--index", index, "--query", "fox", "--doc", "red-fox");
    }

    [Fact]
    public void ADamagedIndex()
    {
        Index("--bm25");
        string segment = Directory.EnumerateFiles(_directory["index"]).MaxBy(f => new FileInfo(f).Length)!;
        byte[] bytes = File.ReadAllBytes(segment);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(segment, bytes);
        Fails(ExitCode.BadInput, [segment, "offset"], "search", "--index", _directory["index"], "fox");
    }

    [Fact]
    public void NoCheckpointToResumeFrom()
    {
        Fails(ExitCode.BadInput, [_directory["out"], "--resume"], "train", "--output", _directory["out"], "--resume");
        Directory.CreateDirectory(_directory["empty"]);
        Fails(ExitCode.BadInput, [_directory["empty"], "no run to resume"], "train", "--output", _directory["empty"], "--resume");
        new RunRecord(["--data", Data(), "--new", "--type", "sparse", "--steps", "3", "--output", _directory["empty"]], 3, "", "").Save(_directory["empty"]);
        Fails(ExitCode.BadInput, [_directory["empty"], "no checkpoint"], "train", "--output", _directory["empty"], "--resume");
    }

    [Theory]
    [InlineData("search --index x --k 0 words", "--k: 0")]
    [InlineData("search --index x --k many words", "--k: 'many'")]
    [InlineData("index build --corpus c --output o --model m --memory 5", "--memory: 5")]
    [InlineData("index build --corpus c --output o --model m --memory 500 --reorder", "--reorder needs all documents in memory")]
    [InlineData("train --steps -1", "--steps: -1")]
    [InlineData("train --loss hinge", "--loss: 'hinge'")]
    [InlineData("eval a b -l 0", "-l: 0")]
    [InlineData("encode --side passage", "--side: 'passage'")]
    public void ValuesOutOfRange(string line, string expected)
    {
        Fails(ExitCode.Usage, [expected], line.Split(' '));
    }

    [Theory]
    [InlineData("search --index x", "a query")]
    [InlineData("search --index x --queries q", "--run")]
    [InlineData("search words", "--index")]
    [InlineData("index --corpus x --output out", "--bm25")]
    [InlineData("index --corpus x --output out --bm25 --model m", "--bm25")]
    [InlineData("train --output out --new --type sparse --steps 1", "--data")]
    [InlineData("train --output out --new --data d --steps 1", "--type")]
    [InlineData("train --output out --new --type sparse --data d", "--minutes")]
    [InlineData("train --output out --data d --steps 1", "--model")]
    [InlineData("train --output out --new --type sparse --data d --steps 1 --hidden-size 30 --heads 4", "--hidden-size 30")]
    [InlineData("eval a", "tern eval needs <run>")]
    [InlineData("encode --model m", "tern encode needs --input, --side, --output")]
    [InlineData("search words --index", "--index")]
    [InlineData("data", "check")]
    public void MissingOrContradictingFlags(string line, string expected)
    {
        Fails(ExitCode.Usage, [expected], line.Split(' '));
    }

    [Fact]
    public void AnUnknownMeasure()
    {
        File.WriteAllText(_directory["q"], "1 0 a 1\n");
        File.WriteAllText(_directory["r"], "1 Q0 a 1 0.5 t\n");
        Fails(ExitCode.Usage, ["'precise@3'"], "eval", _directory["q"], _directory["r"], "precise@3");
    }

    [Fact]
    public void ARunLineWithTooFewColumns()
    {
        File.WriteAllText(_directory["q"], "1 0 a 1\n");
        File.WriteAllText(_directory["r"], "1 Q0 a 1 0.5 t\n1 Q0\n");
        Fails(ExitCode.BadInput, [_directory["r"] + ":2:"], "eval", _directory["q"], _directory["r"]);
    }

    [Fact]
    public void ARunWithNoJudgedTopic()
    {
        File.WriteAllText(_directory["q"], "1 0 a 1\n");
        File.WriteAllText(_directory["r"], "2 Q0 a 1 0.5 t\n");
        Fails(ExitCode.BadInput, [_directory["r"], _directory["q"]], "eval", _directory["q"], _directory["r"]);
        Fails(ExitCode.BadInput, [_directory["q"]], "compare", _directory["q"], _directory["r"], _directory["r"]);
    }

    [Fact]
    public void OutputThatIsInTheWay()
    {
        Directory.CreateDirectory(_directory["letters"]);
        File.WriteAllText(Path.Combine(_directory["letters"], "letter"), "dear");
        CliResult index = Cli.Run("index", "--corpus", Data(), "--bm25", "--output", _directory["letters"]);
        Assert.Equal(ExitCode.Failure, index.ExitCode);
        Assert.Contains(_directory["letters"], Assert.Single(index.ErrorLines), StringComparison.Ordinal);
        CliResult train = Cli.Run("train", "--data", Data(), "--new", "--type", "sparse", "--steps", "1", "--output", _directory["letters"]);
        Assert.Equal(ExitCode.Usage, train.ExitCode);
        Assert.Equal("dear", File.ReadAllText(Path.Combine(_directory["letters"], "letter")));
        Assert.Single(Directory.EnumerateFileSystemEntries(_directory["letters"]));
    }

    public void Dispose() => _directory.Dispose();

    private void Fails(int exitCode, string[] mentions, params string[] args)
    {
        string[] before = Entries();
        CliResult result = Cli.Run(args);
        Assert.True(result.ErrorLines.Count == 1, $"{string.Join(' ', args)} wrote to standard error:\n{result.Error}");
        Assert.StartsWith("tern: ", result.ErrorLines[0], StringComparison.Ordinal);
        Assert.All(mentions, mention => Assert.Contains(mention, result.ErrorLines[0], StringComparison.Ordinal));
        Assert.Equal(exitCode, result.ExitCode);
        Assert.Equal("", result.Output);
        Assert.Equal(before, Entries());
    }

    private string[] Entries() => [.. Directory.EnumerateFileSystemEntries(_directory.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    private string Data() => Directory.Exists(_directory["data"]) ? _directory["data"] : SmallCollection.Write(_directory["data"]);

    private string Model() => Directory.Exists(_directory["model"]) ? _directory["model"] : TinyModel.Write(_directory["model"], RepresentationKind.Sparse);

    private void Index(params string[] with) =>
        Assert.Equal("", Cli.Run(["index", "--corpus", Data(), "--output", _directory["index"], .. with]).Error);
}
