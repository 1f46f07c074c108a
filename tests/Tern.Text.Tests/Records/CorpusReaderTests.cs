namespace Tern.Text.Tests.Records;

public sealed class CorpusReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private List<Document> Read(string name, string content, bool bom = false) => [.. CorpusReader.Read(_folder.Write(name, content, bom))];

    [Theory]
    [InlineData("c.tsv", false)]
    [InlineData("c.tsv.gz", false)]
    [InlineData("c.tsv", true)]
    [InlineData("c.txt", false)]
    public void TsvHasTwoFieldsAndNoQuoting(string name, bool bom)
    {
        List<Document> documents = Read(name, "0\tHe said \"yes\" \u2028 and\r went\r\n7\t\n\u00e9\t🙂 x", bom);
        Assert.Equal([new("0", "", "He said \"yes\" \u2028 and\r went"), new("7", "", ""), new("é", "", "🙂 x")], documents);
    }

    [Theory]
    [InlineData("a\tb\nonly one", "c.tsv:2: expected two fields (id, TAB, text), found 1")]
    [InlineData("a\tb\tc", "c.tsv:1: expected two fields (id, TAB, text), found 3")]
    [InlineData("a\tb\n\na\tc", "c.tsv:2: expected two fields (id, TAB, text), found 1")]
    [InlineData("\tb", "c.tsv:1: the id is empty")]
    [InlineData("a\tb\nx\tb\na\tc", "c.tsv:3: id 'a' was already used in line 1")]
    public void MalformedTsvNamesFileAndLine(string content, string message)
    {
        var e = Assert.Throws<InvalidDataException>(() => Read("c.tsv", content));
        Assert.EndsWith(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WikiTsvIsKnownByItsHeader()
    {
        List<Document> documents = Read("w.tsv", "id\ttext\ttitle\n1\t\"a \"\"b\"\" c\"\tT\n2\tplain\t\"Q\"\"\"\n");
        Assert.Equal([new("1", "T", "a \"b\" c"), new("2", "Q\"", "plain")], documents);
        var e = Assert.Throws<InvalidDataException>(() => Read("w.tsv", "id\ttext\ttitle\n1\ta"));
        Assert.EndsWith("w.tsv:2: expected three fields (id, text, title), found 2", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("corpus.jsonl")]
    [InlineData("corpus.jsonl.gz")]
    public void BeirDirectory(string name)
    {
        _folder.Write(name, """
            {"_id": "doc1", "title": "Albert", "text": "Albert \u00e9 \"was\"", "metadata": {}}

            {"_id": "doc2", "text": "no title"}
            """, bom: true);
        Assert.Equal([new("doc1", "Albert", "Albert é \"was\""), new("doc2", "", "no title")], CorpusReader.Read(_folder.Path));
    }

    [Fact]
    public void NamesAndSummariesComeFromMetadataOfAnyShape()
    {
        _folder.Write("corpus.jsonl", """
            {"_id": "1", "text": "a", "metadata": {"name": "N", "summary": "S", "more": [1]}}
            {"_id": "2", "text": "b", "metadata": {"name": 7, "summary": null}}
            {"_id": "3", "text": "c", "metadata": "free"}
            """);
        Assert.Equal([("N", "S"), ("", ""), ("", "")], CorpusReader.Read(_folder.Path).Select(d => (d.Name, d.Summary)));
    }

    [Fact]
    public void TevatronFields() => Assert.Equal(
        [new("7", "", "x"), new("8", "t", "y"), new("9", "", "z")],
        Read("t.jsonl", """
            {"docid":"7","document_text":"x","document_image":null}
            {"docid":8,"title":"t","text":"y"}
            {"id":"9","contents":"z"}
            """));

    [Theory]
    [InlineData("{\"_id\":\"a\",\"text\":\"b\"}\n{\"_id\":\"b\",\"text\":", "c.jsonl:2: not valid JSON at byte 18")]
    [InlineData("[1]", "c.jsonl:1: expected a JSON object on each line")]
    [InlineData("{\"title\":\"a\",\"text\":\"b\"}", "c.jsonl:1: no field \"_id\" or \"docid\" or \"id\" or \"doc_id\"")]
    [InlineData("{\"_id\":\"a\"}", "c.jsonl:1: no field \"text\" or \"document_text\" or \"contents\"")]
    [InlineData("{\"_id\":\"\",\"text\":\"b\"}", "c.jsonl:1: the id (\"_id\") is empty")]
    [InlineData("{\"_id\":\"a\",\"text\":[1]}", "c.jsonl:1: \"text\" must be a string or a number")]
    [InlineData("\n{\"_id\":\"a\",\"text\":\"b\"}\n{\"_id\":\"a\",\"text\":\"b\"}", "c.jsonl:3: id 'a' was already used in line 2")]
    public void MalformedJsonNamesFileAndLine(string content, string message)
    {
        var e = Assert.Throws<InvalidDataException>(() => Read("c.jsonl", content));
        Assert.EndsWith(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void LinesLongerThanTheBufferAreWhole()
    {
        string text = string.Concat(Enumerable.Range(0, 40_000).Select(i => $"word{i} "));
        Assert.Equal([new("a", "", text), new("b", "", "x"), new("c", "", text)], Read("c.tsv", $"a\t{text}\nb\tx\nc\t{text}\n"));
    }

    [Fact]
    public void MissingFilesAreNamed()
    {
        Assert.Contains("nothing.tsv: no such file or directory", Assert.Throws<FileNotFoundException>(() => CorpusReader.Read("nothing.tsv")).Message, StringComparison.Ordinal);
        Assert.Contains("neither corpus.jsonl nor corpus.jsonl.gz", Assert.Throws<FileNotFoundException>(() => CorpusReader.Read(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(20_000)]
    public void TruncatedGzipIsAnErrorThatNamesTheFile(int missing)
    {
        string path = _folder.Write("c.tsv.gz", string.Concat(Enumerable.Range(0, 20_000).Select(i => $"{i}\t{i * 7919L % 104729}\n")));
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^missing]);
        var e = Assert.Throws<InvalidDataException>(() => CorpusReader.Read(path).Count());
        Assert.Contains("c.tsv.gz", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ConcatenatedGzipFilesAreOneCorpus()
    {
        string path = _folder.Write("a.tsv.gz", "1\ta\n");
        File.AppendAllBytes(path, File.ReadAllBytes(_folder.Write("b.tsv.gz", "2\tb b b\n3\tc\n")));
        Assert.Equal([new("1", "", "a"), new("2", "", "b b b"), new("3", "", "c")], CorpusReader.Read(path));
    }
}
