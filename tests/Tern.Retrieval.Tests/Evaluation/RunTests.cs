using System.IO.Compression;
using Xunit;

namespace Tern.Retrieval.Tests.Evaluation;

public class RunTests
{
    [Theory]
    [InlineData(RunFormat.Trec)]
    [InlineData(RunFormat.Scores)]
    [InlineData(RunFormat.Json)]
    public void ScoresSurviveARoundTripToTheBit(RunFormat format)
    {
        using var directory = new TemporaryDirectory();
        var random = new Random(7);
        var run = new Run("mine");
        for (int i = 0; i < 500; i++)
        {
            run.Add($"q{i % 3}", $"d{i}", (float)((random.NextDouble() - 0.3) * Math.Pow(10, random.Next(-12, 12))));
        }

        run.Write(directory.File("run"), format);
        Run read = Run.Read(directory.File("run"), format);
        Assert.Equal(run.Topics, read.Topics);
        Assert.All(run.Topics, topic => Assert.Equal(run[topic], read[topic]));
    }

    [Fact]
    public void WritesTrecLinesRankedFromOne()
    {
        using var directory = new TemporaryDirectory();
        var run = new Run("tag");
        run.Add("q", "a", 0.1f);
        run.Add("q", "b", 0.1f);
        run.Add("q", "c", 16777216f);
        run.Write(directory.File("run"));
        Assert.Equal("q Q0 c 1 16777216 tag\nq Q0 b 2 0.1 tag\nq Q0 a 3 0.1 tag\n", File.ReadAllText(directory.File("run")));
        run.Write(directory.File("ms"), RunFormat.MsMarco);
        Assert.Equal("q\tc\t1\nq\tb\t2\nq\ta\t3\n", File.ReadAllText(directory.File("ms")));
        Assert.Equal(["c", "b", "a"], Run.Read(directory.File("ms"))["q"].Select(d => d.Id));
        Assert.Equal("tag", Run.Read(directory.File("run")).Tag);
    }

    [Fact]
    public void ReadsAnyWhiteSpaceExtraColumnsCommentsAndGzip()
    {
        using var directory = new TemporaryDirectory();
        using (var writer = new StreamWriter(new GZipStream(File.Create(directory.File("run.gz")), CompressionMode.Compress)))
        {
            writer.Write("# comment\n\nq\tQ0  d1 9\t 1.5 tag more words\r\n");
        }

        Assert.Equal([new ScoredDocument("d1", 1.5f)], Run.Read(directory.File("run.gz"))["q"]);
    }

    [Theory]
    [InlineData("q\td\t1\nq\te\t2\nr\td\t1\n", "d e")] // ranks rise
    [InlineData("q\td\t1\nq\te\t1\n", "e d")] // scores may be equal
    [InlineData("q\td\t1.5\nq\te\t2.5\n", "e d")] // no rank has a fraction
    [InlineData("q\td\t9\nq\te\t2\n", "d e")] // scores fall
    public void ThreeColumnsAreRanksOrScoresByTheirCourse(string text, string order)
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory.File("run"), text);
        Assert.Equal(order, string.Join(' ', Run.Read(directory.File("run"))["q"].Select(d => d.Id)));
    }

    [Fact]
    public void OrdersDifferWhereScoresAreEqual()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory.File("run"), "q Q0 b 3 1.00000001 t\nq Q0 a 2 1.0 t\nq Q0 c 1 1.0 t\nq Q0 top 4 2.0 t\n");
        Run run = Run.Read(directory.File("run"));
        Assert.Equal(["top", "c", "b", "a"], run.Ranking("q", TieOrder.Trec9));
        Assert.Equal(["top", "b", "c", "a"], run.Ranking("q", TieOrder.Trec10));
        Assert.Equal(["c", "a", "b", "top"], run.Ranking("q", TieOrder.Rank));
        Assert.Equal(["top", "a", "b", "c"], run.Ranking("q", TieOrder.IdAscending));
        run.Write(directory.File("doubles"), order: TieOrder.Trec10);
        Assert.Equal(["top", "b", "c", "a"], Run.Read(directory.File("doubles")).Ranking("q", TieOrder.Trec10));
    }

    [Fact]
    public void CompressionIsToldByContent()
    {
        using var directory = new TemporaryDirectory();
        byte[] text = "{\"q\": {\"d\": 1.5}}"u8.ToArray();
        using (var lz4 = K4os.Compression.LZ4.Streams.LZ4Stream.Encode(File.Create(directory.File("run.lz4"))))
        {
            lz4.Write(text);
        }

        using (var gzip = new GZipStream(File.Create(directory.File("run")), CompressionMode.Compress))
        {
            gzip.Write(text);
        }

        Assert.Equal([new ScoredDocument("d", 1.5f)], Run.Read(directory.File("run.lz4"))["q"]);
        Assert.Equal([new ScoredDocument("d", 1.5f)], Run.Read(directory.File("run"))["q"]);
        Run.Read(directory.File("run")).Write(directory.File("out.json.gz"), RunFormat.Json);
        Assert.Equal([0x1F, 0x8B], File.ReadAllBytes(directory.File("out.json.gz"))[..2]);
        Assert.Equal([new ScoredDocument("d", 1.5f)], Run.Read(directory.File("out.json.gz"))["q"]);
    }

    [Fact]
    public void ADamagedArchiveIsAnErrorAndAStreamCanBeRead()
    {
        using var directory = new TemporaryDirectory();
        using (var gzip = new GZipStream(File.Create(directory.File("run.gz")), CompressionMode.Compress))
        {
            gzip.Write(System.Text.Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 2000).Select(i => $"q Q0 d{i} {i} {i * 0.37} t\n"))));
        }

        byte[] bytes = File.ReadAllBytes(directory.File("run.gz"));
        Assert.Equal(2000, Run.Read(new MemoryStream(bytes), "memory")["q"].Count);
        var random = new Random(5);
        for (int i = 0; i < 200; i++)
        {
            byte[] damaged = [.. bytes];
            damaged[random.Next(12, bytes.Length)] ^= (byte)(1 << random.Next(8));
            Assert.Contains("memory", Assert.Throws<InvalidDataException>(() => Run.Read(new MemoryStream(damaged), "memory")).Message, StringComparison.Ordinal);
            Assert.Contains("memory", Assert.Throws<InvalidDataException>(() => Run.Read(new MemoryStream(bytes[..random.Next(2, bytes.Length)]), "memory")).Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("q Q0 d 1 1.0 t\nq Q0 d 2 0.5 t\n", 2, "twice")]
    [InlineData("q Q0 d 1 1.0 t\nq Q0 e 2 high t\n", 2, "'high'")]
    [InlineData("q Q0 d 1 1.0\n", 1, "6 fields")]
    [InlineData("q Q0 d 1 nan t\n", 1, "'nan'")]
    [InlineData("q\td\t1\nq\td2\t3\nq\td3\t2\n", 3, "name the run's format")]
    [InlineData("{\"q\": {\"d\": 1}\n, \"r\": {]}", 2, "JSON")]
    [InlineData("{\"q\": {\"d\": 1}\n, \"r\": [1]}", 2, "an object")]
    [InlineData("{\"q\": {\"d\": 1,\n\"d\": 1}}", 2, "twice")]
    [InlineData("{\"q\": {\"d\": 1},\n\"q\": {\"e\": 1}}", 2, "stands twice")]
    [InlineData("{\"q\": {\"d\": \"x\"}}", 1, "not a number")]
    public void BadLinesAreNamed(string text, int line, string problem)
    {
        using var directory = new TemporaryDirectory();
        string path = directory.File("run");
        File.WriteAllText(path, text);
        var error = Assert.Throws<InvalidDataException>(() => Run.Read(path));
        Assert.StartsWith($"{path}:{line}: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RemovesDocumentsNamedLikeTheirTopicWhenAsked()
    {
        var run = new Run();
        run.Add("q", "q", 2f);
        run.Add("q", "d", 1f);
        Assert.Equal(1, run.RemoveIdenticalIds());
        Assert.Equal(["d"], run["q"].Select(d => d.Id));
    }

    [Fact]
    public void RefusesWhatColumnsCannotHold()
    {
        using var directory = new TemporaryDirectory();
        var run = new Run();
        run.Add("q", "two words", 1f);
        Assert.Throws<ArgumentException>(() => run.Write(directory.File("run")));
        Assert.False(File.Exists(directory.File("run")));
        run.Write(directory.File("run.json"), RunFormat.Json);
        Assert.Equal("two words", Run.Read(directory.File("run.json"))["q"][0].Id);
        Assert.Throws<ArgumentException>(() => run.Add("q", "d", float.NaN));
    }
}
