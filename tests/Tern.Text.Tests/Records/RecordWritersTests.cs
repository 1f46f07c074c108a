namespace Tern.Text.Tests.Records;

public sealed class RecordWritersTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("c.jsonl")]
    [InlineData("c.jsonl.gz")]
    public void JsonCorpusComesBack(string name)
    {
        Document[] documents = [new("1", "T \"x\"", "a\tb\nc \\ é 🙂 <b>"), new("2", "", "")];
        CorpusWriter.Write(_folder.File(name), documents);
        Assert.Equal(documents, CorpusReader.Read(_folder.File(name)));
        Assert.Equal([_folder.File(name)], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void JsonCorpusIsBeirs()
    {
        CorpusWriter.Write(_folder.File("c.jsonl"), [new("1", "T", "é <b> & 'x'")]);
        Assert.Equal("{\"_id\":\"1\",\"title\":\"T\",\"text\":\"é <b> & 'x'\"}\n", File.ReadAllText(_folder.File("c.jsonl")));
    }

    [Fact]
    public void NamesAndSummariesComeBack()
    {
        Document[] documents = [new("1", "T", "x") { Name = "N", Summary = "S" }, new("2", "", "y")];
        CorpusWriter.Write(_folder.File("c.jsonl"), documents);
        Assert.Equal(documents, CorpusReader.Read(_folder.File("c.jsonl")));
    }

    [Theory]
    [InlineData("q.tsv")]
    [InlineData("q.tsv.gz")]
    [InlineData("q.jsonl")]
    public void QueriesComeBack(string name)
    {
        Query[] queries = [new("1", "what \"is\" é"), new("q 2", "x")];
        QueryWriter.Write(_folder.File(name), queries);
        Assert.Equal(queries, QueryReader.Read(_folder.File(name)));
    }

    [Fact]
    public void TrainingExamplesComeBack()
    {
        string path = _folder.File("t.jsonl");
        TrainingExampleWriter.Write(path, [new("q", "1", ["2", "3"], 1.5f, [0.1f, -2f]), new("r", "4", [])]);
        Assert.Equal(
            "{\"question\":\"q\",\"pos_pid\":\"1\",\"neg_pids\":[\"2\",\"3\"],\"pos_score\":1.5,\"neg_scores\":[0.1,-2]}\n{\"question\":\"r\",\"pos_pid\":\"4\",\"neg_pids\":[]}\n",
            File.ReadAllText(path));
        TrainingExample first = TrainingExampleReader.Read(path).First();
        Assert.Equal([0.1f, -2f], first.NegativeScores!);
    }

    [Fact]
    public void WhatTsvCannotHoldIsRefusedAndLeavesNoFile()
    {
        Assert.Throws<ArgumentException>(() => CorpusWriter.Write(_folder.File("c.tsv"), [new("0", "", "fine"), new("1", "", "a\tb")]));
        Assert.Throws<ArgumentException>(() => CorpusWriter.Write(_folder.File("c.tsv"), [new("1", "title", "a")]));
        Assert.Throws<ArgumentException>(() => QueryWriter.Write(_folder.File("q.tsv"), [new("", "a")]));
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }
}
