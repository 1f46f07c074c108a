using CsCheck;
using Tern.Retrieval.Kernels;
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

    public static TheoryData<ImpactPrecision, PostingLayout> Kinds()
    {
        var data = new TheoryData<ImpactPrecision, PostingLayout>();
        foreach (ImpactPrecision precision in Enum.GetValues<ImpactPrecision>())
        {
            foreach (PostingLayout layout in Enum.GetValues<PostingLayout>())
            {
                data.Add(precision, layout);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ReturnsWhatANaiveScorerReturns(ImpactPrecision precision, PostingLayout layout) =>
        Gen.Select(Gen.Int[1, 400], Gen.Int[1, 60], Gen.Int[0, 3], Gen.Int).Sample(
            (count, vocabularySize, distinctWeights, seed) =>
            {
                var random = new Random(seed);
                (string Id, SparseVector Vector)[] documents = [.. RandomVectors.Ids(random, count).Select(id => (id, RandomVectors.Vector(random, vocabularySize, 12, distinctWeights)))];
                Check(precision, layout, vocabularySize, documents, [.. Enumerable.Range(0, 4).Select(_ => RandomVectors.Vector(random, vocabularySize + 3, 12, distinctWeights))], [1, 10, count, count + 5]);
            },
            iter: 25);

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ReturnsWhatANaiveScorerReturnsFromListsOfEveryKind(ImpactPrecision precision, PostingLayout layout)
    {
        // Terms from every document's to a few documents', spread evenly or crowded at one end: bitmaps, several blocks, one
        // block, short lists, windows that a list skips. One below, at and above the window's edge, and three windows.
        foreach ((int count, int distinctWeights) in ((int, int)[])[(16383, 2), (16384, 0), (16385, 1), (40001, 3)])
        {
            var random = new Random(count);
            string[] ids = RandomVectors.Ids(random, count);
            (string Id, SparseVector Vector)[] documents = [.. ids.Select((id, i) => (id, RandomVectors.Graded(random, (double)i / count, distinctWeights)))];
            int size = RandomVectors.GradedVocabularySize;
            SparseVector[] queries =
            [
                .. Enumerable.Range(0, 6).Select(_ => RandomVectors.Vector(random, size, 12, distinctWeights)),
                .. Enumerable.Range(0, size).Where(term => term % 4 == 0).Select(term => new SparseVector([term], [1f])),
                new SparseVector([.. Enumerable.Range(0, size)], [.. Enumerable.Range(0, size).Select(_ => 1f)]),
            ];
            Check(precision, layout, size, documents, queries, [1, 10, 100, 1000]);
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
        int found = index.Search([2], [1f], hits, new SparseSearchOptions { Algorithm = SearchAlgorithms.ByName(algorithm) });
        Assert.Equal([39999], hits.Take(found).Select(hit => hit.DocId));
        // All others tie, so the largest ids follow.
        found = index.Search([2, 0], [1f, 1f], hits, new SparseSearchOptions { Algorithm = SearchAlgorithms.ByName(algorithm) });
        Assert.Equal([39999, 39998, 39997, 39996, 39995], hits.Take(found).Select(hit => hit.DocId));
    }

    [Theory]
    [MemberData(nameof(Members))]
    public void HandlesTheEdgesOfAQuery(string algorithm, ImpactPrecision precision)
    {
        using var directory = new TemporaryDirectory();
        using var index = Build(directory, precision, 10, [("only", new SparseVector([3], [2f])), ("empty", SparseVector.Empty)]);
        var member = new SparseSearchOptions { Algorithm = SearchAlgorithms.ByName(algorithm) };
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
        using (SparseIndex index = Build(directory, ImpactPrecision.Byte, 3, [("a", vector)]))
        {
            Assert.Equal([255f, 100f, 1f], index.Vector(0).Weights.ToArray());
        }

        using var exact = Build(directory, ImpactPrecision.Float32, 3, [("a", vector)]);
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

    [Theory]
    [MemberData(nameof(Members))]
    public void AllocatesNothingPerQueryOnceWarm(string algorithm, ImpactPrecision precision)
    {
        using var directory = new TemporaryDirectory();
        var random = new Random(3);
        using var index = Build(directory, precision, RandomVectors.GradedVocabularySize, [.. RandomVectors.Ids(random, 5000).Select(id => (id, RandomVectors.Graded(random, 0.5, 0)))]);
        SparseVector query = RandomVectors.Vector(random, RandomVectors.GradedVocabularySize, 30);
        int[] terms = query.Terms.ToArray();
        float[] weights = query.Weights.ToArray();
        var hits = new Hit[10];
        var options = new SparseSearchOptions { Algorithm = SearchAlgorithms.ByName(algorithm) };
        index.Search(terms, weights, hits, options);
        Assert.Equal(0, Allocations.Fewest(() => index.Search(terms, weights, hits, options)));
    }

    [Theory]
    [MemberData(nameof(Members))]
    public void ReturnsOnlyWhatTheFilterHoldsAndTheScoreReaches(string algorithm, ImpactPrecision precision)
    {
        using var directory = new TemporaryDirectory();
        var random = new Random(4);
        (string Id, SparseVector Vector)[] documents = [.. RandomVectors.Ids(random, 6000).Select((id, i) => (id, RandomVectors.Graded(random, i / 6000.0, 3)))];
        using SparseIndex index = Build(directory, precision, RandomVectors.GradedVocabularySize, documents);
        var options = new SparseSearchOptions { Algorithm = SearchAlgorithms.ByName(algorithm) };
        for (int round = 0; round < 10; round++)
        {
            SparseVector query = RandomVectors.Vector(random, RandomVectors.GradedVocabularySize, 12, 3);
            Hit[] all = index.Search(query, documents.Length, options);
            var filter = new DocumentFilter(documents.Length);
            for (int i = 0; i < documents.Length; i++)
            {
                if (random.Next(1 + (3 * round)) == 0)
                {
                    filter.Add(i);
                }
            }

            float least = all.Length == 0 ? 1f : all[all.Length / 3].Score;
            foreach (int k in (int[])[1, 10, 500])
            {
                Assert.Equal(all.Where(hit => filter.Contains(hit.DocId)).Take(k), index.Search(query, k, options with { Filter = filter }));
                Assert.Equal(all.Where(hit => hit.Score >= least).Take(k), index.Search(query, k, options with { MinScore = least }));
                Assert.Equal(all.Where(hit => hit.Score >= least && filter.Contains(hit.DocId)).Take(k), index.Search(query, k, options with { MinScore = least, Filter = filter }));
            }
        }

        Assert.Throws<ArgumentException>(() => index.Search([0], [1f], new Hit[1], options with { Filter = new DocumentFilter(5) }));
        Assert.Throws<ArgumentException>(() => index.Search([0], [1f], new Hit[1], options with { MinScore = float.NaN }));
    }

    [Fact]
    public void GivesTheSameHitsInAnyOrderOfTheDocuments()
    {
        using var directory = new TemporaryDirectory();
        var random = new Random(6);
        (string Id, SparseVector Vector)[] documents = [.. RandomVectors.Ids(random, 3000).Select((id, i) => (id, RandomVectors.Graded(random, i / 3000.0, 2)))];
        int[] order = [.. Enumerable.Range(0, documents.Length)];
        random.Shuffle(order);
        using SparseIndex plain = Build(directory, ImpactPrecision.Byte, RandomVectors.GradedVocabularySize, documents);
        using var other = new TemporaryDirectory();
        var builder = new SparseIndexBuilder(other.Path, new SparseIndexOptions { VocabularySize = RandomVectors.GradedVocabularySize });
        foreach ((string id, SparseVector vector) in documents)
        {
            builder.Add(id, vector);
        }

        Assert.Throws<ArgumentException>(() => builder.Reorder([0, 1]));
        Assert.Throws<ArgumentException>(() => builder.Reorder([.. order.Skip(1), order[1]]));
        builder.Reorder(new BisectionOptions { ThreadCount = 1 });
        builder.Reorder(order);
        builder.Complete();
        using SparseIndex reordered = SparseIndex.Open(other.Path);
        Assert.Equal(documents[order[7]].Id, reordered.ExternalId(7));
        Assert.True(reordered.TryFind(documents[order[7]].Id, out int docId));
        Assert.Equal(7, docId);
        Assert.Equal(plain.Vector(order[7]).Weights.ToArray(), reordered.Vector(7).Weights.ToArray());
        for (int round = 0; round < 10; round++)
        {
            SparseVector query = RandomVectors.Vector(random, RandomVectors.GradedVocabularySize, 12, 2);
            Assert.Equal(Named(plain, plain.Search(query, 50)), Named(reordered, reordered.Search(query, 50)));
        }
    }

    [Fact]
    public void WorksWithoutAForwardIndexAndSaysWhatNeedsOne()
    {
        using var directory = new TemporaryDirectory();
        var builder = new SparseIndexBuilder(directory.Path, new SparseIndexOptions { VocabularySize = 3, Forward = false });
        builder.Add("a", new SparseVector([1], [1f]));
        builder.Complete();
        using var index = SparseIndex.Open(directory.Path);
        Assert.False(index.HasForward);
        Assert.Equal("a", index.ExternalId(index.Search(new SparseVector([1], [1f]), 5)[0].DocId));
        Assert.Throws<InvalidOperationException>(() => index.Vector(0));
        Assert.Throws<InvalidOperationException>(() => index.Explain(0, SparseVector.Empty));
        Assert.Throws<ArgumentException>(() => index.Search([1], [1f], new Hit[1], new SparseSearchOptions { Scoring = ScoringMode.Float32 }));
    }

    private static List<(string Id, float Score)> Named(SparseIndex index, IEnumerable<Hit> hits) => [.. hits.Select(hit => (index.ExternalId(hit.DocId), hit.Score))];

    /// <summary>Full lists of ids and scores, equal for every algorithm, kind of kernels and k; a float32 index in both modes.</summary>
    private static void Check(ImpactPrecision precision, PostingLayout layout, int vocabularySize, (string Id, SparseVector Vector)[] documents, SparseVector[] queries, int[] ks)
    {
        using var directory = new TemporaryDirectory();
        using SparseIndex index = Build(directory, precision, vocabularySize, documents, layout);
        Assert.Equal(layout, index.Layout);
        float largest = documents.SelectMany(d => d.Vector.Weights.ToArray()).DefaultIfEmpty(1f).Max();
        foreach (SparseVector query in queries)
        {
            foreach (ScoringMode scoring in precision == ImpactPrecision.Float32 ? Enum.GetValues<ScoringMode>() : [ScoringMode.Impacts])
            {
                List<(string, float)> expected = query.Count == 0 ? [] : scoring == ScoringMode.Impacts
                    ? NaiveSearch.TopK(documents.Select(d => (d.Id, Naive: NaiveSearch.QuantizedDot(query, d.Vector, largest))).Where(d => d.Naive.Sum > 0).Select(d => (d.Id, d.Naive.Score)), int.MaxValue)
                    : NaiveSearch.TopK(documents.Select(d => (d.Id, Score: NaiveSearch.FloatDot(query, d.Vector))).Where(d => d.Score > 0), int.MaxValue);
                foreach (SearchKernels kernels in SearchKernels.Available)
                {
                    foreach (SearchAlgorithm algorithm in (SearchAlgorithm[])[.. SearchAlgorithms.All, new PruningGivenUp()])
                    {
                        foreach (int k in ks)
                        {
                            Hit[] hits = index.Search(query, k, new SparseSearchOptions { Algorithm = algorithm, Scoring = scoring, Kernels = kernels });
                            Assert.True(expected.Take(k).SequenceEqual(Named(index, hits)), $"{algorithm}, {kernels}, {scoring}, k {k}, {query.Count} terms:\n{string.Join(' ', expected.Take(k).Take(20))}\n{string.Join(' ', Named(index, hits).Take(20))}");
                        }
                    }
                }
            }
        }
    }

    /// <summary>What the planner does where pruning turns out too dear: half of one search, then the other with the floor so far.</summary>
    private sealed class PruningGivenUp() : SearchAlgorithm("given-up")
    {
        internal override void Search(Postings postings, SearchContext context)
        {
            if (!BlockMaxSearch.TrySearch(postings, context, 0, out _))
            {
                SearchAlgorithms.Exhaustive.Search(postings, context);
            }
        }
    }

    private static SparseIndex Build(TemporaryDirectory directory, ImpactPrecision precision, int vocabularySize, (string Id, SparseVector Vector)[] documents, PostingLayout layout = PostingLayout.Packed)
    {
        var builder = new SparseIndexBuilder(directory.Path, new SparseIndexOptions { VocabularySize = vocabularySize, Precision = precision, Layout = layout });
        foreach ((string id, SparseVector vector) in documents)
        {
            builder.Add(id, vector);
        }

        builder.Complete();
        return SparseIndex.Open(directory.Path);
    }
}
