using Xunit;

namespace Tern.Retrieval.Tests.Evaluation;

public class QrelsTests
{
    [Theory]
    [InlineData("300674\t0\t7067032\t1\n19335 Q0 1017759 0\n")]
    [InlineData("300674  0\t7067032   1\r\n\n# comment\n19335\tQ0 1017759 0")]
    [InlineData("query-id\tcorpus-id\tscore\n300674\t7067032\t1\n19335\t1017759\t0\n")]
    [InlineData("300674 7067032 1\n19335 1017759 0\n")]
    [InlineData("{\"300674\": {\"7067032\": 1}, \"19335\": {\"1017759\": 0}}")]
    public void ReadsTheCommonShapes(string text)
    {
        using var directory = new TemporaryDirectory();
        string path = directory.File("qrels");
        File.WriteAllText(path, text);
        Qrels qrels = Qrels.Read(path);
        Assert.Equal(["300674", "19335"], qrels.Topics);
        Assert.Equal(1, qrels["300674"]["7067032"]);
        Assert.Equal(0, qrels["19335"]["1017759"]);
        qrels.Write(directory.File("out"));
        Assert.Equal("300674 0 7067032 1\n19335 0 1017759 0\n", File.ReadAllText(directory.File("out")));
    }

    [Theory]
    [InlineData(QrelsFormat.Trec, "q 0 d 2\nq 0 e -1\nr 0 d 0\n")]
    [InlineData(QrelsFormat.MsMarco, "q\t0\td\t2\nq\t0\te\t-1\nr\t0\td\t0\n")]
    [InlineData(QrelsFormat.Beir, "query-id\tcorpus-id\tscore\nq\td\t2\nq\te\t-1\nr\td\t0\n")]
    [InlineData(QrelsFormat.Json, null)]
    public void EveryLayoutIsWrittenAndReadBack(QrelsFormat format, string? text)
    {
        using var directory = new TemporaryDirectory();
        var qrels = new Qrels();
        qrels.Add("q", "d", 2);
        qrels.Add("q", "e", -1);
        qrels.Add("r", "d", 0);
        qrels.Write(directory.File("qrels"), format);
        Qrels read = Qrels.Read(directory.File("qrels"));
        Assert.Equal(format, read.Format);
        Assert.Equal(qrels.Topics, read.Topics);
        Assert.All(qrels.Topics, topic => Assert.Equal(qrels[topic], read[topic]));
        Assert.Equal(text ?? File.ReadAllText(directory.File("qrels")), File.ReadAllText(directory.File("qrels")));
        Assert.Equal(2, Qrels.Read(directory.File("qrels"), format)["q"]["d"]);
    }

    [Fact]
    public void BeirIdsMayHoldSpaces()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory.File("q.tsv"), "query-id\tcorpus-id\tscore\nq 1\td 1\t2\n");
        Assert.Equal(2, Qrels.Read(directory.File("q.tsv"))["q 1"]["d 1"]);
    }

    [Theory]
    [InlineData("q 0 d 1\nq 0 d 2\n", 2, "judged twice")]
    [InlineData("q 0 d 1\nq 0 d\n q 0 e x\n", 2, "has 3")]
    [InlineData("q d\n", 1, "has 2")]
    [InlineData("q 0 d 1.5\n", 1, "'1.5'")]
    [InlineData("query-id\tcorpus-id\tscore\nq\t0\td\t1\n", 2, "has 4")]
    [InlineData("{\"q\": {\"d\": 1.5}}", 1, "1.5")]
    public void BadLinesAreNamed(string text, int line, string problem)
    {
        using var directory = new TemporaryDirectory();
        string path = directory.File("qrels");
        File.WriteAllText(path, text);
        var error = Assert.Throws<InvalidDataException>(() => Qrels.Read(path));
        Assert.StartsWith($"{path}:{line}: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }
}
