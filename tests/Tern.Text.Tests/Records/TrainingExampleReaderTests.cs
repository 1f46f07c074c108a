using System.Globalization;

namespace Tern.Text.Tests.Records;

public sealed class TrainingExampleReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private List<TrainingExample> Read(string content) => [.. TrainingExampleReader.Read(_folder.Write("t.jsonl", content))];

    private static void Check(TrainingExample example, string query, string positive, string negatives, float? score = null, string? scores = null)
    {
        Assert.Equal((query, positive, negatives, score), (example.Query, example.PositiveId, string.Join(' ', example.NegativeIds), example.PositiveScore));
        Assert.Equal(scores, example.NegativeScores == null ? null : string.Join(' ', example.NegativeScores.Select(s => s.ToString(CultureInfo.InvariantCulture))));
    }

    [Fact]
    public void ContrastiveAndTeacherScores()
    {
        List<TrainingExample> examples = Read("""
            {"question": "q", "pos_pid": "7067032", "neg_pids": ["1","2"], "pos_score": 9.5, "neg_scores": [3.25, -0.5]}
            {"question": "r", "pos_pid": 5, "neg_pids": []}
            """);
        Assert.Equal(2, examples.Count);
        Check(examples[0], "q", "7067032", "1 2", 9.5f, "3.25 -0.5");
        Check(examples[1], "r", "5", "");
    }

    [Fact]
    public void MarginMse() => Check(Assert.Single(Read("""{"qid":"1","query":"q","docids":["p","n1","n2"],"scores":[9.5,3.25,1]}""")), "q", "p", "n1 n2", 9.5f, "3.25 1");

    [Fact]
    public void TevatronByIdsMakesAnExampleOfEachPositive()
    {
        List<TrainingExample> examples = Read("""{"query_id":"1","query_text":"q","query_image":null,"positive_document_ids":["7","6"],"negative_document_ids":["8","9"]}""");
        Assert.Equal(2, examples.Count);
        Check(examples[0], "q", "7", "8 9");
        Check(examples[1], "q", "6", "8 9");
    }

    [Fact]
    public void TevatronWithPassagesGivesIdsAndThePassages()
    {
        const string Content = """
            {"query_id":"1","query":"q","positive_passages":[{"docid":"7","title":"t","text":"x"}],"negative_passages":[{"docid":"8","title":"","text":"y"}]}
            {"query_id":"2","query":"r","positive_passages":[{"docid":"8","title":"","text":"y"}],"negative_passages":[]}
            """;
        List<TrainingExample> examples = Read(Content);
        Check(examples[0], "q", "7", "8");
        Check(examples[1], "r", "8", "");
        Assert.Equal([new("7", "t", "x"), new("8", "", "y")], TrainingExampleReader.ReadInlinePassages(_folder.File("t.jsonl")));
    }

    [Theory]
    [InlineData("""{"text":"x"}""", "no known training shape")]
    [InlineData("""{"question":"q","pos_pid":"1","neg_pids":["2"],"pos_score":1}""", "\"pos_score\" and \"neg_scores\" must both be there")]
    [InlineData("""{"question":"q","pos_pid":"1","neg_pids":["2"],"pos_score":1,"neg_scores":[1,2]}""", "1 neg_pids but 2 neg_scores")]
    [InlineData("""{"query":"q","docids":["1","2"],"scores":[1]}""", "2 docids but 1 scores")]
    [InlineData("""{"query":"q","docids":["1"],"scores":["high"]}""", "\"scores\" must hold numbers")]
    [InlineData("""{"query":"q","docids":["1"],"scores":[1e999]}""", "\"scores\" must hold numbers")]
    [InlineData("""{"query_text":"q","positive_document_ids":[]}""", "an example without a positive")]
    [InlineData("""{"query":"q","docids":["1","2"],"scores":[1""", "not valid JSON")]
    public void MalformedNamesFileAndLine(string line, string message)
    {
        var e = Assert.Throws<InvalidDataException>(() => Read("\n" + line));
        Assert.Contains("t.jsonl:2: " + message, e.Message, StringComparison.Ordinal);
    }
}
