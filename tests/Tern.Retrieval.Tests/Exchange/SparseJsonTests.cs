using System.Text;
using Tern.Retrieval.Exchange;
using Xunit;

namespace Tern.Retrieval.Tests.Exchange;

public sealed class SparseJsonTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public void WhatIsWrittenIsReadBack()
    {
        SparseDocument[] documents = ExchangeSamples.Sparse(1);
        string path = _directory.File("v.jsonl");
        using (FileStream file = File.Create(path))
        {
            SparseJson.Write(file, documents, TermNames.Ids);
        }

        ExchangeSamples.Same(documents, SparseJson.Read(path, TermNames.Ids));
        File.WriteAllText(_directory.File("names"), string.Concat(Enumerable.Range(0, 400).Select(i => $"Ġ\"w.{i}\n")));
        var names = TermNames.Read(_directory.File("names"));
        using (FileStream file = File.Create(path))
        using (var zip = new System.IO.Compression.GZipStream(file, System.IO.Compression.CompressionLevel.Fastest))
        {
            SparseJson.Write(zip, documents, names);
        }

        ExchangeSamples.Same(documents, SparseJson.Read(path, names));
    }

    [Theory]
    [InlineData("{\"id\":\"a\",\"vector\":{\"3\":1.5,\"1\":0,\"2\":0.25}}", "a: 2:0.25 3:1.5")]
    [InlineData("{\"id\":7,\"content\":\"x\",\"vector\":{\"12\":3}}", "7: 12:3")]
    [InlineData("{\"id\":\"\\u00e9\",\"contents\":\"\",\"vector\":{}}", "é: ")]
    public void LinesOfOtherToolsAreUnderstood(string line, string expected) => Assert.Equal(expected, ExchangeSamples.Text(Assert.Single(ReadAll("\n" + line + "\n\n"))));

    [Theory]
    [InlineData("{\"id\":\"a\",\"vector\":{\"3\":1.5,\"3\":2}}", "distinct")]
    [InlineData("{\"id\":\"a\",\"vector\":{\"3\":-1}}", "greater than zero")]
    [InlineData("{\"id\":\"a\",\"vector\":{\"cat\":1}}", "'cat' is not a number")]
    [InlineData("{\"id\":\"a\",\"vector\":{\"-1\":1}}", "'-1'")]
    [InlineData("{\"id\":\"a\",\"vector\":{\"1\":\"x\"}}", "'1' is not a number")]
    [InlineData("{\"id\":\"a\"}", "vector")]
    [InlineData("{\"vector\":{}}", "\"id\"")]
    [InlineData("[]", "\"id\"")]
    [InlineData("{\"id\":", "not JSON")]
    [InlineData("{\"id\":\"a\",\"vector\":{\"3\":1e60}}", "finite")]
    public void AWrongLineIsNamed(string line, string problem)
    {
        string message = Assert.Throws<InvalidDataException>(() => ReadAll("{\"id\":\"ok\",\"vector\":{}}\n" + line)).Message;
        Assert.StartsWith($"{_directory.File("lines")}:2: ", message, StringComparison.Ordinal);
        Assert.Contains(problem, message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnseriniGetsWholeNumbersAndTheLossIsCounted()
    {
        SparseDocument[] documents = [new("d1", new SparseVector([1, 4, 9], [1.832f, 0.004f, 0.97f])), new("d2", new SparseVector([4], [0.004f])), new("d3", new SparseVector([0], [2f]))];
        var rounding = new ImpactRounding(100);
        using var stream = new MemoryStream();
        Assert.Equal(1, AnseriniVectors.Write(stream, documents, TermNames.Of(["a", "b", "c", "d", "Ġe", "f", "g", "h", "i", "j"]), rounding));
        Assert.Equal(
            "{\"id\":\"d1\",\"contents\":\"\",\"vector\":{\"b\":183,\"j\":97}}\n{\"id\":\"d3\",\"contents\":\"\",\"vector\":{\"a\":200}}\n",
            Encoding.UTF8.GetString(stream.ToArray()));
        Assert.Equal((5, 2, 0), (rounding.Count, rounding.LostCount, rounding.ClampedCount));
        Assert.Contains("2 of 5 become 0", rounding.Warning(), StringComparison.Ordinal);

        var whole = new ImpactRounding(1, largest: 3);
        Assert.Equal([1, 3, 3], new[] { 1f, 3f, 3.75f }.Select(whole.Round));
        Assert.Contains("1 had a fraction", whole.Warning(), StringComparison.Ordinal);
        Assert.Contains("cut to 3", whole.Warning(), StringComparison.Ordinal);
        var kept = new ImpactRounding(100);
        kept.Round(0.123f);
        Assert.Null(kept.Warning());
    }

    [Fact]
    public void TopicsRepeatTermsAsTheirWeightsSay()
    {
        using var writer = new StringWriter();
        AnseriniVectors.WriteTopics(writer, [new("q1", new SparseVector([0, 1], [0.03f, 0.021f])), new("q2", SparseVector.Empty)], TermNames.Of(["a", "b"]), new ImpactRounding(100));
        Assert.Equal("q1\ta a a b b\nq2\n", writer.ToString());
        Assert.Throws<InvalidDataException>(() => AnseriniVectors.WriteTopics(writer, [new("q", new SparseVector([0], [1f]))], TermNames.Of(["a b"]), new ImpactRounding(1)));
    }

    [Fact]
    public void SeismicGetsNumbersAndAListOfIds()
    {
        SparseDocument[] documents = ExchangeSamples.Sparse(3, count: 5);
        string path = _directory.File("s.jsonl");
        using var ids = new StringWriter { NewLine = "\n" };
        using (FileStream file = File.Create(path))
        {
            SeismicVectors.Write(file, ids, documents, TermNames.Ids);
        }

        Assert.StartsWith("{\"id\":0,\"content\":\"\",\"vector\":{", File.ReadAllText(path), StringComparison.Ordinal);
        Assert.Equal(string.Concat(documents.Select(d => d.Id + "\n")), ids.ToString());
        ExchangeSamples.Same(documents.Select((d, i) => new SparseDocument($"{i}", d.Vector)), SparseJson.Read(path, TermNames.Ids));
    }

    [Fact]
    public void GrowingNamesAreNumberedAsTheyCome()
    {
        var names = TermNames.Growing();
        Assert.Equal([0, 1, 0], new[] { "b", "a", "b" }.Select(names.Find));
        using var list = new StringWriter { NewLine = "\n" };
        names.Write(list);
        Assert.Equal("b\na\n", list.ToString());
        Assert.Equal(-1, TermNames.Of(["x"]).Find("y"));
        Assert.Contains("no name", Assert.Throws<InvalidDataException>(() => TermNames.Of(["x"]).Name(1)).Message, StringComparison.Ordinal);
        File.WriteAllText(_directory.File("twice"), "a\nb\na\n");
        Assert.Contains("terms 0 and 2", Assert.Throws<InvalidDataException>(() => TermNames.Read(_directory.File("twice"))).Message, StringComparison.Ordinal);
    }

    public void Dispose() => _directory.Dispose();

    private List<SparseDocument> ReadAll(string text)
    {
        File.WriteAllText(_directory.File("lines"), text);
        return [.. SparseJson.Read(_directory.File("lines"), TermNames.Ids)];
    }
}
