using Tern.Retrieval;
using Tern.Retrieval.Exchange;
using Tern.Tests;
using Tern.TestKit.Fakes;
using Xunit;

namespace Tern.Cli.Tests.Exchange;

public sealed class ExchangeCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Vectors => Sparse("v.jsonl");

    [Theory]
    [InlineData("jsonl", "o.jsonl.gz", "jsonl")]
    [InlineData("seismic", "o.jsonl", "seismic")]
    [InlineData("csr", "o.csr", "csr")]
    public void SparseFormatsComeBackAsTheyWent(string format, string file, string back)
    {
        Succeed("export", format, "--input", Vectors, "--output", _directory[file]);
        Succeed("import", back, "--input", _directory[file], "--output", _directory["b.jsonl"]);
        Assert.Equal(File.ReadAllText(Vectors), File.ReadAllText(_directory["b.jsonl"]));
    }

    [Fact]
    public void WholeNumbersComeBackRounded()
    {
        foreach ((string format, string file) in new[] { ("anserini", "a.jsonl"), ("ciff", "a.ciff") })
        {
            CliResult result = Cli.Run("export", format, "--input", Vectors, "--output", _directory[file], "--scale", "4");
            Assert.Equal(ExitCode.Ok, result.ExitCode);
            Assert.Contains("1 of 4 become 0", result.Error, StringComparison.Ordinal);
            Succeed("import", format, "--input", _directory[file], "--scale", "4", "--output", _directory["b.jsonl"]);
            Assert.Equal("{\"id\":\"a\",\"vector\":{\"1\":0.5,\"7\":2.25}}\n{\"id\":\"b\",\"vector\":{\"3\":1}}\n", File.ReadAllText(_directory["b.jsonl"]));
        }

        Succeed("export", "anserini", "--queries", "--input", Vectors, "--output", _directory["q.tsv"], "--scale", "100");
        Assert.Equal("a\t" + string.Join(" ", Enumerable.Repeat("1", 50).Concat(Enumerable.Repeat("7", 225))), File.ReadAllLines(_directory["q.tsv"])[0]);
    }

    [Fact]
    public void TermsHaveNamesOnlyWhereTheyAreGiven()
    {
        File.WriteAllText(_directory["terms"], string.Concat("abcdefgh".Select(c => $"{c}\n")));
        Succeed("export", "jsonl", "--input", Vectors, "--output", _directory["t.jsonl"], "--keys", "text", "--terms", _directory["terms"]);
        Assert.Equal("{\"id\":\"a\",\"vector\":{\"b\":0.5,\"h\":2.25}}", File.ReadAllLines(_directory["t.jsonl"])[0]);
        Succeed("export", "csr", "--input", _directory["t.jsonl"], "--input-keys", "text", "--terms", _directory["terms"], "--output", _directory["t.csr"]);
        Assert.Equal((2, 8, 4), SparseCsr.ReadHeader(_directory["t.csr"]));
        Succeed("import", "jsonl", "--input", _directory["t.jsonl"], "--learn-terms", _directory["learnt"], "--output", _directory["l.jsonl"]);
        Assert.Equal(["b", "h", "a", "d"], File.ReadAllLines(_directory["learnt"]));
        Assert.Contains("\"vector\":{\"0\":0.5,\"1\":2.25}", File.ReadAllText(_directory["l.jsonl"]), StringComparison.Ordinal);
        Fails(ExitCode.BadInput, [_directory["t.jsonl"] + ":1:", "'b'"], "import", "jsonl", "--input", _directory["t.jsonl"], "--output", _directory["x.jsonl"]);
        Fails(ExitCode.Usage, ["--terms"], "export", "jsonl", "--input", Vectors, "--output", _directory["x.jsonl"], "--keys", "text");
    }

    [Fact]
    public void IndexesAreReadAndMade()
    {
        Succeed("import", "jsonl", "--input", Vectors, "--index", _directory["index"]);
        using (SparseIndex index = SparseIndex.Open(_directory["index"]))
        {
            Assert.Equal((2, 8), (index.DocumentCount, index.VocabularySize));
        }

        Succeed("export", "ciff", "--input", _directory["index"], "--output", _directory["i.ciff"]);
        Assert.Equal(2, Ciff.ReadHeader(_directory["i.ciff"]).DocumentCount);

        Succeed("import", "npy", "--input", Dense("d.npy"), "--index", _directory["dense"]);
        Assert.Contains("scan int8", Succeed("index", "stats", "--index", _directory["dense"]).Output, StringComparison.Ordinal);
        Succeed("import", "npy", "--input", Dense("d.npy"), "--index", _directory["plain"], "--scan", "float32");
        Assert.Contains("scan float32", Succeed("index", "stats", "--index", _directory["plain"]).Output, StringComparison.Ordinal);
        Succeed("export", "npy", "--input", _directory["dense"], "--output", _directory["e.npy"]);
        Assert.Equal(File.ReadAllBytes(_directory["d.npy"]), File.ReadAllBytes(_directory["e.npy"]));
        Assert.Equal(["x", "y"], File.ReadAllLines(_directory["e.ids.txt"]));

        Succeed("index", "--corpus", SmallCollection.Write(_directory["data"]), "--bm25", "--output", _directory["bm25"]);
        Succeed("export", "jsonl", "--input", _directory["bm25"], "--keys", "text", "--output", _directory["w.jsonl"]);
        Assert.Contains("\"fox\":", File.ReadAllText(_directory["w.jsonl"]), StringComparison.Ordinal);
    }

    [Fact]
    public void DocumentsAreSentAndRefusedOnesNamed()
    {
        using var server = new FakeBulkServer(isElasticsearch: false);
        CliResult result = Cli.Run("export", "opensearch", "--input", Vectors, "--url", server.Address.ToString(), "--collection", "docs", "--create");
        Assert.Equal(("", ExitCode.Ok), (result.Error, result.ExitCode));
        Assert.Contains("2 documents sent, 0 refused", result.Output, StringComparison.Ordinal);
        Assert.Contains("9 significant bits", result.Output, StringComparison.Ordinal);
        Assert.Equal("1:0.5 7:2.25", server.Documents["a"]);
        Assert.Single(Directory.EnumerateFiles(_directory.Path));

        server.PoisonId = "b";
        result = Cli.Run("export", "opensearch", "--input", Vectors, "--url", server.Address.ToString(), "--collection", "docs");
        Assert.Equal(ExitCode.Failure, result.ExitCode);
        Assert.StartsWith("refused: 'b': 400", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public void NothingIsSentBeyondTheLimits()
    {
        using var server = new FakeMilvus();
        File.AppendAllText(Vectors, $"{{\"id\":\"{new string('x', 513)}\",\"vector\":{{\"1\":1}}}}\n");
        string[] arguments = ["export", "milvus", "--input", _directory["v.jsonl"], "--url", server.Address.ToString(), "--create"];
        CliResult result = Cli.Run(arguments);
        Assert.Equal(ExitCode.BadInput, result.ExitCode);
        Assert.Contains("1 of 3 documents", result.Error, StringComparison.Ordinal);
        Assert.Equal(0, server.RequestCount);
        Assert.Equal(ExitCode.BadInput, Cli.Run([.. arguments, "--dry-run"]).ExitCode);
        result = Cli.Run([.. arguments, "--skip-refused"]);
        Assert.Equal(ExitCode.Ok, result.ExitCode);
        Assert.StartsWith("left out: 1 documents: its id has 513 bytes", result.Error, StringComparison.Ordinal);
        Assert.Equal(2, server.Documents.Count);
    }

    [Fact]
    public void AnInterruptedExportGoesOn()
    {
        using var server = new FakeVespa("tern", "docs", "vector", 3);
        string[] arguments = ["export", "vespa", "--input", Dense("d.npy"), "--url", server.Address.ToString(), "--collection", "docs", "--batch", "1"];
        server.BreakAfter = 1;
        CliResult result = Cli.Run(arguments);
        Assert.Equal(ExitCode.Failure, result.ExitCode);
        Assert.Single(result.ErrorLines);
        server.BreakAfter = int.MaxValue;
        Assert.Contains("1 documents sent, 0 refused, 1 were there", Succeed([.. arguments, "--resume"]).Output, StringComparison.Ordinal);
        Fails(ExitCode.BadInput, ["d.npy.vespa.progress.json"], [.. arguments, "--resume"]);
    }

    [Theory]
    [InlineData("export ciff --input {v}", "--output")]
    [InlineData("export qdrant --input {v}", "--url")]
    [InlineData("export qdrant --input {v} --output o --url http://x", "--url")]
    [InlineData("export csr --input {v} --output o --scale 3", "--scale")]
    [InlineData("export csr --input {v} --output o --create", "--create")]
    [InlineData("export vespa --input {v} --url http://x --create", "--create")]
    [InlineData("export npy --input {v} --output o", "sparse")]
    [InlineData("export qdrant --input {v} --url ftp://x", "--url ftp://x")]
    [InlineData("export milvus --input {v} --output o --collection 1a", "'1a'")]
    [InlineData("export pgvector --input {v} --url x --type vector", "--type vector")]
    [InlineData("export solr --input {v} --output o", "solr")]
    [InlineData("import csr --input {v}", "--index")]
    [InlineData("import pgvector --output o.jsonl", "--url")]
    [InlineData("import jsonl --input {v} --output o.npy", ".jsonl")]
    public void WhatDoesNotFitIsOneLine(string line, string problem) =>
        Fails(ExitCode.Usage, [problem], [.. line.Split(' ').Select(word => word == "{v}" ? Vectors : word == "o" ? _directory["o"] : word)]);

    [Fact]
    public void WhatIsNotThereIsOneLine()
    {
        Fails(ExitCode.BadInput, [_directory["no.jsonl"]], "export", "ciff", "--input", _directory["no.jsonl"], "--output", _directory["o"]);
        Fails(ExitCode.BadInput, [_directory["no"]], "import", "seismic", "--input", _directory["no"], "--output", _directory["o.jsonl"]);
        Fails(ExitCode.Failure, ["PostgreSQL"], "import", "pgvector", "--url", "Host=127.0.0.1;Port=1;Username=x;Database=x", "--output", _directory["o.jsonl"]);
        File.WriteAllText(_directory["x.bin"], "");
        Fails(ExitCode.Usage, ["x.bin"], "export", "ciff", "--input", _directory["x.bin"], "--output", _directory["o"]);
    }

    public void Dispose() => _directory.Dispose();

    private static CliResult Succeed(params string[] args)
    {
        CliResult result = Cli.Run(args);
        Assert.Equal("", result.Error);
        Assert.Equal(ExitCode.Ok, result.ExitCode);
        return result;
    }

    private void Fails(int exitCode, string[] mentions, params string[] args)
    {
        _ = Vectors;
        string[] before = Directory.GetFileSystemEntries(_directory.Path);
        CliResult result = Cli.Run(args);
        Assert.True(result.ErrorLines.Count == 1, $"{string.Join(' ', args)} wrote to standard error:\n{result.Error}");
        Assert.All(mentions, mention => Assert.Contains(mention, result.ErrorLines[0], StringComparison.Ordinal));
        Assert.Equal(exitCode, result.ExitCode);
        Assert.Equal(before.Order(StringComparer.Ordinal), Directory.GetFileSystemEntries(_directory.Path).Order(StringComparer.Ordinal));
    }

    private string Sparse(string name)
    {
        if (!File.Exists(_directory[name]))
        {
            File.WriteAllText(_directory[name], "{\"id\":\"a\",\"vector\":{\"1\":0.5,\"7\":2.25}}\n{\"id\":\"b\",\"vector\":{\"0\":0.0625,\"3\":1}}\n");
        }

        return _directory[name];
    }

    private string Dense(string name)
    {
        using FileStream file = File.Create(_directory[name]);
        var writer = new NumpyWriter(file, 3);
        writer.Begin();
        writer.Add([1, -2, 3]);
        writer.Add([0.5f, 0, 0]);
        writer.Complete();
        File.WriteAllText(NumpyMatrix.IdsPath(_directory[name]), "x\ny\n");
        return _directory[name];
    }
}
