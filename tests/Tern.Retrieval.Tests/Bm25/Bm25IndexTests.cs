using Xunit;

namespace Tern.Retrieval.Tests.Bm25;

public class Bm25IndexTests
{
    private static readonly (string Id, string Text)[] Documents =
    [
        ("d1", "the cat sat on the mat"),
        ("d2", "the dog sat"),
        ("d3", "cat cat cat"),
        ("empty", ""),
        ("d4", "a completely different document about naïve 数 things"),
    ];

    [Theory]
    [InlineData("cat")]
    [InlineData("the cat")]
    [InlineData("cat cat dog")]
    [InlineData("数 naïve the unknown")]
    public void ScoresWithTheFormulaOfTheField(string query)
    {
        using var directory = new TemporaryDirectory();
        using Bm25Index index = Build(directory, Documents);
        Hit[] hits = index.Search(query.Split(' '), 10);
        var expected = NaiveSearch.TopK(Documents.Select(d => (d.Id, Score: (float)Formula(query.Split(' '), Words(d.Text)))).Where(d => d.Score > 0), 10);
        Assert.Equal(expected.Select(d => d.Id), hits.Select(hit => index.ExternalId(hit.DocId)));
        for (int i = 0; i < hits.Length; i++)
        {
            Assert.Equal(expected[i].Score, hits[i].Score, 1e-6f);
        }
    }

    [Fact]
    public void RoundsInFloat32AsLuceneDoes()
    {
        using var directory = new TemporaryDirectory();
        using Bm25Index index = Build(directory, Documents);
        // Four documents have terms; "cat" is in two of them, three times in d3, whose length is 3.
        int total = Documents.Sum(d => Words(d.Text).Length);
        float idf = (float)Math.Log(1 + ((4 - 2 + 0.5) / (2 + 0.5)));
        float inverseNorm = 1f / (0.9f * ((1 - 0.4f) + (0.4f * 3 / (float)(total / 4.0))));
        float expected = idf - (idf / (1f + (3 * inverseNorm)));
        Hit best = index.Search(["cat"], 1)[0];
        Assert.Equal(("d3", expected), (index.ExternalId(best.DocId), best.Score));
    }

    [Fact]
    public void LongDocumentsHaveLucenesRoundedLength()
    {
        using var directory = new TemporaryDirectory();
        string filler = string.Join(' ', Enumerable.Repeat("word", 98));
        // 99 and 103 words share one length code (96 + …), 105 does not.
        using Bm25Index index = Build(directory, [("a", filler + " rare"), ("b", filler + " word word word word rare"), ("c", filler + " word word word word word word rare"), ("x", "other")]);
        float[] scores = [.. index.Search(["rare"], 10).OrderBy(hit => hit.DocId).Select(hit => hit.Score)];
        Assert.Equal(scores[0], scores[1]);
        Assert.True(scores[2] < scores[1]);
    }

    [Fact]
    public void ExplainsByWord()
    {
        using var directory = new TemporaryDirectory();
        using Bm25Index index = Build(directory, Documents);
        Assert.True(index.Index.TryFind("d1", out int docId));
        Explanation explanation = index.Explain(docId, ["cat", "mat", "zebra"]);
        Assert.Equal(["mat", "cat"], explanation.Terms.Select(part => index.Word(part.Term)));
    }

    [Fact]
    public void AnIndexOfVectorsIsNotABm25Index()
    {
        using var directory = new TemporaryDirectory();
        var builder = new SparseIndexBuilder(directory.Path, new SparseIndexOptions { VocabularySize = 3 });
        builder.Add("d", SparseVector.Empty);
        builder.Complete();
        Assert.Contains("no words", Assert.Throws<InvalidDataException>(() => Bm25Index.Open(directory.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ACollectionWithoutWordsFindsNothing()
    {
        using var directory = new TemporaryDirectory();
        using Bm25Index index = Build(directory, [("a", ""), ("b", "")]);
        Assert.Empty(index.Search(["x", ""], 10));
    }

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Double precision, true lengths (all are short enough to be exact).</summary>
    private static double Formula(string[] query, string[] document)
    {
        string[][] documents = [.. Documents.Select(d => Words(d.Text)).Where(d => d.Length > 0)];
        double average = documents.Average(d => d.Length);
        return query.Sum(term =>
        {
            double df = documents.Count(d => d.Contains(term));
            double tf = document.Count(word => word == term);
            return df == 0 ? 0 : Math.Log(1 + ((documents.Length - df + 0.5) / (df + 0.5))) * tf / (tf + (0.9 * (1 - 0.4 + (0.4 * document.Length / average))));
        });
    }

    private static Bm25Index Build(TemporaryDirectory directory, (string Id, string Text)[] documents)
    {
        var builder = new Bm25IndexBuilder(directory.Path);
        foreach ((string id, string text) in documents)
        {
            builder.Add(id, Words(text));
        }

        builder.Complete();
        return Bm25Index.Open(directory.Path);
    }
}
