using CsCheck;
using Tern.TestKit;
using Xunit;

namespace Tern.Retrieval.Tests.Sparse;

public class SparseIndexTests
{
    public static TheoryData<string, ImpactPrecision> Members()
    {
        var data = new TheoryData<string, ImpactPrecision>();
        foreach (SearchAlgorithm algorithm in SearchAlgorithms.All)
        {
            data.Add(algorithm.Name, ImpactPrecision.Byte);
            data.Add(algorithm.Name, ImpactPrecision.Float32);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Members))]
    public void ReturnsWhatANaiveScorerReturns(string algorithm, ImpactPrecision precision) =>
        Gen.Select(Gen.Int[1, 400], Gen.Int[1, 60], Gen.Int[0, 3], Gen.Int).Sample(
            (count, vocabularySize, distinctWeights, seed) =>
            {
                var random = new Random(seed);
                Check(random, algorithm, precision, count, vocabularySize, distinctWeights, queryCount: 6);
            },
            iter: 40);

    [Theory]
    [MemberData(nameof(Members))]
    public void ReturnsWhatANaiveScorerReturnsAcrossWindows(string algorithm, ImpactPrecision precision)
    {
        // One below, at and above the window edge, and three windows of which some terms skip the middle one.
        foreach (int count in (int[])[16383, 16384, 16385, 32800])
        {
            Check(new Random(count), algorithm, precision, count, 4000, distinctWeights: 2, queryCount: 1);
        }
    }

    [Theory]
    [MemberData(nameof(Members))]
    public void FindsARareTermInALaterWindowOnly(string algorithm, ImpactPrecision precision)
    {
        using var directory = new TemporaryDirectory();
        var builder = new SparseIndexBuilder(directory.Path, new SparseIndexOptions { VocabularySize = 3, Precision = precision });
        for (int i = 0; i < 40000; i++)
        {
            builder.Add($"d{i:00000}", i == 39999 ? new SparseVector([0, 2], [1f, 2f]) : new SparseVector([0], [1f]));
        }

        builder.Complete();
        using var index = SparseIndex.Open(directory.Path);
        var hits = new Hit[5];
        int found = index.Search([2], [1f], hits, SearchAlgorithms.ByName(algorithm));
        Assert.Equal([39999], hits.Take(found).Select(hit => hit.DocId));
        // All others tie, so the largest ids follow.
        found = index.Search([2, 0], [1f, 1f], hits, SearchAlgorithms.ByName(algorithm));
        Assert.Equal([39999, 39998, 39997, 39996, 39995], hits.Take(found).Select(hit => hit.DocId));
    }

    [Theory]
    [MemberData(nameof(Members))]
    public void HandlesTheEdgesOfAQuery(string algorithm, ImpactPrecision precision)
    {
        using var directory = new TemporaryDirectory();
        using var index = Build(directory, precision, 10, ("only", new SparseVector([3], [2f])), ("empty", SparseVector.Empty));
        SearchAlgorithm member = SearchAlgorithms.ByName(algorithm);
        var hits = new Hit[100];
        Assert.Equal(0, index.Search([], [], hits, member));
        Assert.Equal(0, index.Search([7, 900, -4], [1f, 1f, 1f], hits, member));
        Assert.Equal(0, index.Search([3], [0f], hits, member));
        Assert.Equal(0, index.Search([3], [1f], [], member));
        Assert.Equal(1, index.Search([3, 7], [1f, 1f], hits, member));
        Assert.Equal("only", index.ExternalId(hits[0].DocId));
        Assert.Equal(2f, hits[0].Score, 1e-3f);
        Assert.Throws<ArgumentException>(() => index.Search([3], [float.NaN], new Hit[1]));
        Assert.Throws<ArgumentException>(() => index.Search([3], [-1f], new Hit[1]));
        Assert.Throws<ArgumentException>(() => index.Search([3], [], new Hit[1]));
        Assert.Throws<ArgumentException>(() => index.Search(new int[8193], new float[8193], new Hit[1]));
        // The failures above left nothing behind.
        Assert.Equal(1, index.Search([3], [1f], hits, member));
    }

    [Theory]
    [InlineData(ImpactPrecision.Byte)]
    [InlineData(ImpactPrecision.Float32)]
    public void ExplainsTheScoreThatSearchGives(ImpactPrecision precision)
    {
        using var directory = new TemporaryDirectory();
        var random = new Random(5);
        string[] ids = RandomVectors.Ids(random, 200);
        using var index = Build(directory, precision, 50, [.. ids.Select(id => (id, RandomVectors.Vector(random, 50, 20)))]);
        SparseVector query = RandomVectors.Vector(random, 50, 20);
        foreach (Hit hit in index.Search(query, 200))
        {
            Explanation explanation = index.Explain(hit.DocId, query);
            Assert.Equal(hit.Score, explanation.Score);
            Assert.Equal(hit.Score, explanation.Terms.Sum(part => part.Contribution), 1e-4f);
            Assert.Equal(explanation.Terms.OrderByDescending(part => part.Contribution), explanation.Terms);
            Assert.All(explanation.Terms, part => Assert.Equal(index.Vector(hit.DocId)[part.Term], part.DocumentWeight));
        }
    }

    [Fact]
    public void KeepsWeightsAsStoredAndNeverLosesASmallOne()
    {
        using var directory = new TemporaryDirectory();
        var vector = new SparseVector([0, 1, 2], [255f, 100.4f, 0.001f]);
        using (SparseIndex index = Build(directory, ImpactPrecision.Byte, 3, ("a", vector)))
        {
            Assert.Equal([255f, 100f, 1f], index.Vector(0).Weights.ToArray());
        }

        using var exact = Build(directory, ImpactPrecision.Float32, 3, ("a", vector));
        Assert.Equal(vector.Weights.ToArray(), exact.Vector(0).Weights.ToArray());
    }

    [Fact]
    public void FindsDocumentsByExternalIdAndRemembersItsOptions()
    {
        using var directory = new TemporaryDirectory();
        var builder = new SparseIndexBuilder(directory.Path, new SparseIndexOptions { VocabularySize = 9, Fingerprint = "abc" });
        builder.Add("é", SparseVector.Empty);
        builder.Add("a", new SparseVector([8], [1f]));
        builder.Complete();
        using var index = SparseIndex.Open(directory.Path);
        Assert.True(index.TryFind("é", out int docId));
        Assert.Equal(0, docId);
        Assert.False(index.TryFind("b", out _));
        Assert.Equal("abc", index.Fingerprint);
        Assert.Equal((2, 9, 1L, ImpactPrecision.Byte), (index.DocumentCount, index.VocabularySize, index.PostingCount, index.Precision));
        Assert.Equal(1, index.DocumentFrequency(8));
        Assert.Throws<ArgumentOutOfRangeException>(() => index.ExternalId(2));
        Assert.Equal(new FileInfo(directory.File("segment.tern")).Length, index.ByteCount);
    }

    [Fact]
    public void RefusesBadDocuments()
    {
        using var directory = new TemporaryDirectory();
        var builder = new SparseIndexBuilder(directory.Path, new SparseIndexOptions { VocabularySize = 4 });
        Assert.Contains("term 4", Assert.Throws<ArgumentException>(() => builder.Add("x", new SparseVector([4], [1f]))).Message);
        Assert.Throws<ArgumentException>(() => builder.Add("", SparseVector.Empty));
        Assert.Throws<ArgumentException>(() => builder.Add("\uD800", SparseVector.Empty));
        builder.Add("x", SparseVector.Empty);
        builder.Add("x", SparseVector.Empty);
        Assert.Contains("'x' was added twice", Assert.Throws<ArgumentException>(builder.Complete).Message);
        Assert.Empty(Directory.GetFiles(directory.Path));
    }

    [Fact]
    public void ManyThreadsGetWhatOneThreadGets()
    {
        using var directory = new TemporaryDirectory();
        var random = new Random(11);
        string[] ids = RandomVectors.Ids(random, 20000);
        using var index = Build(directory, ImpactPrecision.Byte, 500, [.. ids.Select(id => (id, RandomVectors.Vector(random, 500, 30, 3)))]);
        SparseVector[] queries = [.. Enumerable.Range(0, 200).Select(_ => RandomVectors.Vector(random, 500, 12))];
        Hit[][] expected = [.. queries.Select(query => index.Search(query, 10))];
        Hit[][] batch = index.SearchBatch(queries, 10, threadCount: 8);
        for (int i = 0; i < queries.Length; i++)
        {
            Assert.Equal(expected[i], batch[i]);
        }
    }

    [Fact]
    public void AllocatesNothingPerQueryOnceWarm()
    {
        using var directory = new TemporaryDirectory();
        var random = new Random(3);
        string[] ids = RandomVectors.Ids(random, 2000);
        using var index = Build(directory, ImpactPrecision.Byte, 100, [.. ids.Select(id => (id, RandomVectors.Vector(random, 100, 30)))]);
        SparseVector query = RandomVectors.Vector(random, 100, 30);
        int[] terms = query.Terms.ToArray();
        float[] weights = query.Weights.ToArray();
        var hits = new Hit[10];
        index.Search(terms, weights, hits);
        Assert.Equal(0, Allocations.Fewest(() => index.Search(terms, weights, hits)));
    }

    private static void Check(Random random, string algorithm, ImpactPrecision precision, int count, int vocabularySize, int distinctWeights, int queryCount)
    {
        using var directory = new TemporaryDirectory();
        (string Id, SparseVector Vector)[] documents = [.. RandomVectors.Ids(random, count).Select(id => (id, RandomVectors.Vector(random, vocabularySize, 12, distinctWeights)))];
        using SparseIndex index = Build(directory, precision, vocabularySize, documents);
        float largest = documents.SelectMany(d => d.Vector.Weights.ToArray()).DefaultIfEmpty(1f).Max();
        for (int q = 0; q < queryCount; q++)
        {
            SparseVector query = RandomVectors.Vector(random, vocabularySize + 3, 12, distinctWeights);
            foreach (int k in (int[])[1, 10, count, count + 5])
            {
                var hits = new Hit[k];
                int found = index.Search(query.Terms.Span, query.Weights.Span, hits, SearchAlgorithms.ByName(algorithm));
                List<(string Id, float Score)> actual = [.. hits.Take(found).Select(hit => (index.ExternalId(hit.DocId), hit.Score))];
                if (precision == ImpactPrecision.Byte)
                {
                    Assert.Equal(NaiveSearch.TopK(documents.Select(d => (d.Id, Naive: query.Count == 0 ? default : NaiveSearch.QuantizedDot(query, d.Vector, largest))).Where(d => d.Naive.Sum > 0).Select(d => (d.Id, d.Naive.Score)), k), actual);
                }
                else if (distinctWeights > 0)
                {
                    // Small whole numbers: float32 sums are exact, so even ties must agree.
                    Assert.Equal(NaiveSearch.TopK(documents.Select(d => (d.Id, Score: (float)NaiveSearch.Dot(query, d.Vector))).Where(d => d.Score > 0), k), actual);
                }
                else
                {
                    CheckClose(documents, query, k, actual);
                }
            }
        }
    }

    /// <summary>Without exact arithmetic: as many hits, each score right to rounding, in order, and nothing better left out.</summary>
    private static void CheckClose((string Id, SparseVector Vector)[] documents, SparseVector query, int k, List<(string Id, float Score)> actual)
    {
        var exact = documents.ToDictionary(d => d.Id, d => NaiveSearch.Dot(query, d.Vector));
        double[] best = [.. exact.Values.Where(score => score > 0).OrderDescending().Take(k)];
        Assert.Equal(best.Length, actual.Count);
        for (int i = 0; i < best.Length; i++)
        {
            double limit = 2e-6 * best[i];
            Assert.True(Math.Abs(actual[i].Score - exact[actual[i].Id]) <= limit, $"score of {actual[i].Id}: {actual[i].Score}, exactly {exact[actual[i].Id]}");
            Assert.True(Math.Abs(actual[i].Score - best[i]) <= limit, $"place {i}: {actual[i].Score}, exactly {best[i]}");
        }

        Assert.Equal(NaiveSearch.TopK(actual, k), actual);
    }

    private static SparseIndex Build(TemporaryDirectory directory, ImpactPrecision precision, int vocabularySize, params (string Id, SparseVector Vector)[] documents)
    {
        var builder = new SparseIndexBuilder(directory.Path, new SparseIndexOptions { VocabularySize = vocabularySize, Precision = precision });
        foreach ((string id, SparseVector vector) in documents)
        {
            builder.Add(id, vector);
        }

        builder.Complete();
        return SparseIndex.Open(directory.Path);
    }
}
