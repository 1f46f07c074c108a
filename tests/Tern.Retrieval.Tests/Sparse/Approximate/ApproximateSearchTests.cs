using Tern.Retrieval.Kernels;
using Tern.TestKit;
using Xunit;

namespace Tern.Retrieval.Tests.Sparse.Approximate;

/// <summary>Approximate searches against a scan in plain code.</summary>
public class ApproximateSearchTests
{
    private static readonly SearchApproximation[] Approximations =
    [
        new(),
        new() { ThresholdFactor = 1.3 },
        new() { LeafBudget = 25 },
        new() { DroppedShare = 0.25 },
        new() { ThresholdFactor = 1.6, LeafBudget = 12, DroppedShare = 0.4 },
    ];

    public static TheoryData<ImpactPrecision, int> Kinds() => new()
    {
        { ImpactPrecision.Byte, 1 },
        { ImpactPrecision.Byte, 3 },
        { ImpactPrecision.Float32, 1 },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void HitsHaveTheirTrueScoresInOrder(ImpactPrecision precision, int segmentCount)
    {
        using var collection = new GradedCollection(precision, segmentCount);
        using var index = SegmentedIndex.Open(collection.Path);
        var filter = new DocumentFilter(index.OrdinalCount);
        var admitted = new HashSet<string>();
        foreach (int document in index.Documents().Where(d => d % 3 == 0))
        {
            filter.Add(document);
            admitted.Add(index.ExternalId(document));
        }

        int leftOut = 0;
        foreach (SparseVector query in collection.Queries)
        {
            foreach (DocumentFilter? chosen in (DocumentFilter?[])[null, filter])
            {
                Dictionary<string, float> scores = collection.Scores(query, chosen is null ? null : admitted.Contains);
                foreach (int k in (int[])[1, 10, 60])
                {
                    List<(string Id, float Score)> exact = NaiveSearch.TopK(scores.Select(s => (s.Key, s.Value)), k);
                    foreach (SearchApproximation approximation in Approximations)
                    {
                        (string Id, float Score)[] hits = [.. index.Search(query, k, new SparseSearchOptions { Approximation = approximation, Filter = chosen }).Select(h => (index.ExternalId(h.DocId), h.Score))];
                        Assert.Equal(exact.Count, hits.Length);
                        Assert.All(hits, hit => Assert.Equal(scores[hit.Id], hit.Score));
                        Assert.Equal(NaiveSearch.TopK(hits, k), hits);
                        Assert.Equal(hits.Length, hits.DistinctBy(h => h.Id).Count());
                        leftOut += exact.Except(hits).Count();
                    }
                }
            }
        }

        // Else nothing of this was approximate.
        Assert.True(leftOut > 0);
    }

    [Fact]
    public void AnApproximationThatLeavesOutNothingIsExact()
    {
        using var collection = new GradedCollection(ImpactPrecision.Byte, 1);
        using var index = SegmentedIndex.Open(collection.Path);
        foreach (SparseVector query in collection.Queries)
        {
            Dictionary<string, float> scores = collection.Scores(query);
            Assert.Equal(NaiveSearch.TopK(scores.Select(s => (s.Key, s.Value)), 10), index.Search(query, 10, new SparseSearchOptions { Approximation = new() }).Select(h => (index.ExternalId(h.DocId), h.Score)));
        }
    }

    [Fact]
    public void HitsDependOnlyOnIndexAndQuery()
    {
        using var collection = new GradedCollection(ImpactPrecision.Byte, 1);
        using var index = SparseIndex.Open(collection.Path);
        foreach (SearchApproximation approximation in Approximations)
        {
            var options = new SparseSearchOptions { Approximation = approximation };
            Hit[][] first = [.. collection.Queries.Select(q => index.Search(q, 10, options))];
            // Other queries teach the planner something, other threads share what it knows.
            for (int round = 0; round < 3; round++)
            {
                Array.ForEach(collection.Queries, q => index.Search(q, 10));
                Assert.Equal(first, index.SearchBatch(collection.Queries, 10, threadCount: 4, options));
            }

            foreach (SearchKernels kernels in SearchKernels.Available)
            {
                Assert.Equal(first, collection.Queries.Select(q => index.Search(q, 10, options with { Kernels = kernels })));
            }
        }
    }

    [Fact]
    public void AllocatesNothingPerQueryOnceWarm()
    {
        using var collection = new GradedCollection(ImpactPrecision.Byte, 1);
        using var index = SparseIndex.Open(collection.Path);
        var options = new SparseSearchOptions { Approximation = Approximations[^1] };
        int[] terms = collection.Queries[0].Terms.ToArray();
        float[] weights = collection.Queries[0].Weights.ToArray();
        var hits = new Hit[10];
        Assert.Equal(0, Allocations.Fewest(() => index.Search(terms, weights, hits, options)));
    }

    [Theory]
    [InlineData(0.9, 10, 0)]
    [InlineData(double.NaN, 10, 0)]
    [InlineData(1, 0, 0)]
    [InlineData(1, 10, 1)]
    [InlineData(1, 10, -0.1)]
    public void RefusesValuesThatMeanNothing(double factor, int leaves, double share)
    {
        using var directory = new TemporaryDirectory();
        using (var builder = new SparseIndexBuilder(directory.Path, new SparseIndexOptions { VocabularySize = 3 }))
        {
            builder.Add("a", new SparseVector([1], [1f]));
            builder.Complete();
        }

        using var index = SparseIndex.Open(directory.Path);
        var options = new SparseSearchOptions { Approximation = new() { ThresholdFactor = factor, LeafBudget = leaves, DroppedShare = share } };
        Assert.Throws<ArgumentException>(() => index.Search(new SparseVector([1], [1f]), 1, options));
    }
}
