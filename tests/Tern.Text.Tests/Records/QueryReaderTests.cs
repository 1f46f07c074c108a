namespace Tern.Text.Tests.Records;

public sealed class QueryReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Tsv() => Assert.Equal(
        [new("1048585", "what is paula deen's brother"), new("2", "x")],
        QueryReader.Read(_folder.Write("q.tsv", "1048585\twhat is paula deen's brother\n2\tx\n")));

    [Fact]
    public void BeirDirectoryAndTevatronFields()
    {
        _folder.Write("queries.jsonl", """
            {"_id": "q1", "text": "Who?"}
            {"query_id":"2","query_text":"What?","query_image":null}
            {"qid":3,"query":"When?"}
            """);
        Assert.Equal([new("q1", "Who?"), new("2", "What?"), new("3", "When?")], QueryReader.Read(_folder.Path));
    }

    [Theory]
    [InlineData("q.tsv", "1\ta\n1\tb", "q.tsv:2: id '1' was already used in line 1")]
    [InlineData("q.tsv", "just text", "q.tsv:1: expected two fields (id, TAB, text), found 1")]
    [InlineData("q.jsonl", "{\"_id\":\"1\"}", "q.jsonl:1: no field \"text\" or \"query_text\" or \"query\"")]
    public void MalformedNamesFileAndLine(string name, string content, string message)
    {
        var e = Assert.Throws<InvalidDataException>(() => QueryReader.Read(_folder.Write(name, content)).Count());
        Assert.EndsWith(message, e.Message, StringComparison.Ordinal);
    }
}
