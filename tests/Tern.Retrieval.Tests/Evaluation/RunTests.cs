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
    [InlineData("q Q0 d 1 1.0 t\nq Q0 d 2 0.5 t\n", 2, "twice")]
    [InlineData("q Q0 d 1 1.0 t\nq Q0 e 2 high t\n", 2, "'high'")]
    [InlineData("q Q0 d 1 1.0\n", 1, "6 fields")]
    [InlineData("q Q0 d 1 nan t\n", 1, "'nan'")]
    [InlineData("q\td\t1\nq\td2\t2.5\n", 2, "'2.5'")]
    [InlineData("{\"q\": {\"d\": 1}\n, \"r\": [}", 2, "JSON")]
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
