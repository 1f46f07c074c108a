using Xunit;

namespace Tern.Retrieval.Tests.Sparse.Approximate;

/// <summary>What a calibration says against recall counted in plain code, and its file.</summary>
public class SearchCalibrationTests
{
    [Theory]
    [InlineData(ImpactPrecision.Byte, 1)]
    [InlineData(ImpactPrecision.Byte, 3)]
    [InlineData(ImpactPrecision.Float32, 1)]
    public void ReportsTheRecallThatPlainCodeCounts(ImpactPrecision precision, int segmentCount)
    {
        using var collection = new GradedCollection(precision, segmentCount);
        using var index = SegmentedIndex.Open(collection.Path);
        SearchCalibration calibration = CalibrationRun.OnQueries(index, collection.Queries, new CalibrationOptions { HitCounts = [5, 20] });
        Assert.Equal(CalibrationSource.Queries, calibration.Source);
        Assert.Equal(collection.Queries.Length, calibration.QueryCount);
        Assert.Contains(calibration.Searches, s => s.Recall < 1);
        Dictionary<string, float>[] scores = [.. collection.Queries.Select(q => collection.Scores(q))];
        foreach (CalibratedSearch search in calibration.Searches)
        {
            double[] recalls = new double[scores.Length];
            for (int q = 0; q < scores.Length; q++)
            {
                string[] exact = [.. NaiveSearch.TopK(scores[q].Select(s => (s.Key, s.Value)), search.K).Select(d => d.Id)];
                string[] found = [.. index.Search(collection.Queries[q], search.K, new SparseSearchOptions { Approximation = search.Approximation }).Select(h => index.ExternalId(h.DocId))];
                recalls[q] = exact.Length == 0 ? 1 : (double)exact.Intersect(found).Count() / exact.Length;
            }

            Assert.Equal(recalls.Average(), search.Recall, 1e-12);
            Assert.Equal(search.Approximation is null ? 1 : PlainBound(recalls, search.K), search.LeastRecall, 1e-12);
        }

        foreach (int k in (int[])[5, 20])
        {
            CalibratedSearch[] searches = [.. calibration.Searches.Where(s => s.K == k)];
            Assert.Null(searches[^1].Approximation);
            Assert.Equal(searches.OrderByDescending(s => s.RelativeCost), searches.SkipLast(1).Prepend(searches[^1]));
            foreach (double quality in (double[])[0.5, 0.8, 0.9, 0.95, 0.99])
            {
                double least = searches.Where(s => s.LeastRecall >= quality).Min(s => s.RelativeCost);
                Assert.Equal(least, calibration.Choose(quality, k).RelativeCost);
                Assert.True(calibration.Choose(quality, k).LeastRecall >= quality);
            }

            Assert.Null(calibration.Choose(1, k).Approximation);
        }

        // Fewer hits go by the next that was measured, more are not known.
        Assert.Equal(5, calibration.Choose(0.5, 1).K);
        Assert.Equal(20, calibration.Choose(0.5, 6).K);
        Assert.Null(calibration.Choose(0.5, 21).Approximation);
        Assert.Throws<ArgumentOutOfRangeException>(() => calibration.Choose(0, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => calibration.Choose(double.NaN, 5));
    }

    [Fact]
    public void AMeanThatPassesIsNotChosenWhereItsBoundDoesNot()
    {
        // Means of 0.985 from queries that miss little each, and from few that miss much.
        double[] even = [.. Enumerable.Range(0, 100).Select(i => i % 20 < 3 ? 0.9 : 1)];
        double[] uneven = [.. Enumerable.Range(0, 100).Select(i => i is 0 or 50 ? 0.25 : 1)];
        Assert.Equal([0.985, 0.985], [even.Average(), uneven.Average()], (a, b) => Math.Abs(a - b) < 1e-12);
        var none = new SearchApproximation();
        var calibration = new SearchCalibration
        {
            Version = 2,
            Source = CalibrationSource.Queries,
            QueryCount = 100,
            Generation = 0,
            Commit = 0,
            SegmentChecksums = [],
            Searches =
            [
                new CalibratedSearch(10, none, even.Average(), RecallBound.Of(even, 10), 0.5),
                new CalibratedSearch(10, none with { LeafBudget = 30 }, uneven.Average(), RecallBound.Of(uneven, 10), 0.2),
                new CalibratedSearch(10, null, 1, 1, 1),
            ],
        };
        Assert.Equal(0.2, calibration.Choose(0.96, 10).RelativeCost);
        Assert.Equal(0.5, calibration.Choose(0.975, 10).RelativeCost);
        Assert.Null(calibration.Choose(0.984, 10).Approximation);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(1000)]
    public void TheBoundLiesBelowTheMeanAndComesNearerWithMoreQueries(int count)
    {
        double[] recalls = [.. Enumerable.Range(0, count).Select(i => i % 4 == 3 ? 0.8 : 1)];
        double bound = RecallBound.Of(recalls, 10);
        Assert.Equal(PlainBound(recalls, 10), bound, 1e-12);
        Assert.InRange(bound, 0, recalls.Average() - 1e-9);
        Assert.True(bound < RecallBound.Of([.. recalls, .. recalls, .. recalls], 10));
    }

    [Fact]
    public void SearchesForDocumentsOfTheIndexWithoutThemselves()
    {
        using var collection = new GradedCollection(ImpactPrecision.Byte, 1);
        using var index = SegmentedIndex.Open(collection.Path);
        var options = new CalibrationOptions { HitCounts = [8], DocumentCount = 20, TermCount = 6 };
        SearchCalibration calibration = CalibrationRun.OnDocuments(index, options);
        Assert.Equal((CalibrationSource.Documents, 20), (calibration.Source, calibration.QueryCount));
        foreach (CalibratedSearch search in calibration.Searches)
        {
            double recall = 0;
            for (int i = 0; i < 20; i++)
            {
                int document = i * GradedCollection.DocumentCount / 20;
                SparseVector vector = index.SparseVector(document);
                (int Term, float Weight)[] heaviest = [.. vector.Terms.ToArray().Zip(vector.Weights.ToArray()).OrderByDescending(t => t.Second).ThenBy(t => t.First).Take(6)];
                var query = new SparseVector([.. heaviest.OrderBy(t => t.Term).Select(t => t.Term)], [.. heaviest.OrderBy(t => t.Term).Select(t => t.Weight)]);
                string own = index.ExternalId(document);
                string[] exact = [.. NaiveSearch.TopK(collection.Scores(query).Select(s => (s.Key, s.Value)), 8).Select(d => d.Id).Where(id => id != own)];
                string[] found = [.. index.Search(query, 8, new SparseSearchOptions { Approximation = search.Approximation }).Select(h => index.ExternalId(h.DocId))];
                recall += exact.Length == 0 ? 1 : (double)exact.Intersect(found).Count() / exact.Length;
            }

            Assert.Equal(recall / 20, search.Recall, 1e-12);
        }
    }

    [Fact]
    public void TheSameIndexAndQueriesGiveTheSameCalibration()
    {
        using var collection = new GradedCollection(ImpactPrecision.Byte, 3);
        string[] written = new string[2];
        for (int i = 0; i < 2; i++)
        {
            using var index = SegmentedIndex.Open(collection.Path);
            Array.ForEach(collection.Queries[..(5 * i)], q => index.Search(q, 10));
            CalibrationRun.OnQueries(index, collection.Queries, new CalibrationOptions { HitCounts = [10], ThreadCount = 1 + (3 * i) }).Save(collection.Path);
            written[i] = File.ReadAllText(Path.Combine(collection.Path, SearchCalibration.FileName));
        }

        Assert.Equal(written[0], written[1]);
    }

    [Fact]
    public void IsStaleAfterACommit()
    {
        using var collection = new GradedCollection(ImpactPrecision.Byte, 3);
        using (var index = SegmentedIndex.Open(collection.Path))
        {
            CalibrationRun.OnQueries(index, collection.Queries, new CalibrationOptions { HitCounts = [10] }).Save(collection.Path);
        }

        using (var index = SegmentedIndex.Open(collection.Path))
        {
            Assert.False(SearchCalibration.Load(collection.Path).IsStale(index));
        }

        using (var writer = SegmentedIndexWriter.Open(collection.Path))
        {
            writer.Upsert(new IndexDocument("another") { Sparse = collection.Vectors[0] });
            writer.Commit();
        }

        using (var index = SegmentedIndex.Open(collection.Path))
        {
            Assert.True(SearchCalibration.Load(collection.Path).IsStale(index));
        }
    }

    [Fact]
    public void RefusesADamagedFileAndSaysWhere()
    {
        using var collection = new GradedCollection(ImpactPrecision.Byte, 1);
        Assert.Contains("tern index calibrate", Assert.Throws<FileNotFoundException>(() => SearchCalibration.Load(collection.Path)).Message);
        using (var index = SegmentedIndex.Open(collection.Path))
        {
            CalibrationRun.OnQueries(index, collection.Queries, new CalibrationOptions { HitCounts = [10] }).Save(collection.Path);
        }

        string path = Path.Combine(collection.Path, SearchCalibration.FileName);
        byte[] whole = File.ReadAllBytes(path);
        SearchCalibration calibration = SearchCalibration.Load(collection.Path);
        for (int at = 0; at < whole.Length; at++)
        {
            byte[] damaged = [.. whole];
            damaged[at] ^= (byte)(1 << (at % 8));
            File.WriteAllBytes(path, damaged);
            Check(path, calibration);
            if (at % 7 == 0)
            {
                File.WriteAllBytes(path, whole[..at]);
                Check(path, calibration);
            }
        }
    }

    /// <summary>The mean less 1.645 standard errors, with a query more that misses one hit.</summary>
    private static double PlainBound(double[] recalls, int k)
    {
        double[] all = [.. recalls, (k - 1.0) / k];
        double mean = all.Average();
        double deviation = Math.Sqrt(all.Sum(r => Math.Pow(r - mean, 2)) / (all.Length - 1));
        return Math.Max(0, mean - (1.6448536269514722 * deviation / Math.Sqrt(all.Length)));
    }

    /// <summary>Damage is reported, or lay between the fields where it says nothing.</summary>
    private static void Check(string path, SearchCalibration expected)
    {
        try
        {
            SearchCalibration loaded = SearchCalibration.Load(Path.GetDirectoryName(path)!);
            Assert.Equal(expected.Searches, loaded.Searches);
            Assert.Equal(expected.SegmentChecksums, loaded.SegmentChecksums);
            Assert.Equal(expected with { Searches = [], SegmentChecksums = [] }, loaded with { Searches = [], SegmentChecksums = [] });
        }
        catch (InvalidDataException e)
        {
            Assert.StartsWith($"{path}: section 'calibration' at offset ", e.Message);
        }
    }
}
