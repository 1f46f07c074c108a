using Tern.TestKit;
using Xunit;

namespace Tern.Retrieval.Tests.Segments;

/// <summary>Segments large enough for long lists, bitmaps and block maxima: every algorithm against one index of the same documents.</summary>
public sealed class SegmentSearchTests : IDisposable
{
    private const int DocumentCount = 9000;

    private readonly TemporaryDirectory _directory = new();

    [Theory]
    [InlineData(ImpactPrecision.Byte)]
    [InlineData(ImpactPrecision.Float32)]
    public void SeveralSegmentsGiveWhatOneGives(ImpactPrecision precision)
    {
        var random = new Random(51);
        string[] ids = RandomVectors.Ids(random, DocumentCount);
        // Few distinct weights: hundreds of equal scores at every k.
        SparseVector[] vectors = [.. ids.Select((_, i) => RandomVectors.Graded(random, i / (double)DocumentCount, distinctWeights: 3))];
        var settings = new IndexSettings { Kind = VectorKind.Sparse, Dimension = RandomVectors.GradedVocabularySize, Precision = precision, LargestWeight = 3 };
        bool[] deleted = [.. ids.Select(_ => random.Next(5) == 0)];
        using (var writer = SegmentedIndexWriter.Create(_directory.File("several"), settings, new SegmentedIndexWriterOptions { BackgroundMerge = false, LogByteCount = 64 << 20 }))
        {
            for (int i = 0; i < DocumentCount; i++)
            {
                writer.Upsert(new IndexDocument(ids[i]) { Sparse = vectors[i] });
                if (i is 4000 or 7500)
                {
                    writer.Flush();
                }
            }

            writer.Commit();
            foreach (string id in ids.Where((_, i) => deleted[i]))
            {
                writer.Delete(id);
            }

            writer.Commit();
        }

        using (var builder = new SegmentBuilder(_directory.File("one"), settings))
        {
            for (int i = 0; i < DocumentCount; i++)
            {
                if (!deleted[i])
                {
                    builder.Add(new IndexDocument(ids[i]) { Sparse = vectors[i] });
                }
            }

            builder.Reorder();
            builder.Complete();
        }

        using var several = SegmentedIndex.Open(_directory.File("several"));
        using var one = SparseIndex.Open(_directory.File("one"));
        Assert.Equal(3, several.SegmentCount);
        Assert.Equal(one.DocumentCount, several.DocumentCount);
        for (int q = 0; q < 12; q++)
        {
            SparseVector query = RandomVectors.Graded(random, q / 12.0, distinctWeights: 2);
            foreach (int k in (int[])[1, 10, 1000, 100_000])
            {
                foreach (SearchAlgorithm algorithm in SearchAlgorithms.All)
                {
                    var options = new SparseSearchOptions { Algorithm = algorithm, MinScore = q % 3 == 0 ? 6 : 0 };
                    Assert.Equal(one.Search(query, k, options).Select(hit => (one.ExternalId(hit.DocId), hit.Score)), several.Search(query, k, options).Select(hit => (several.ExternalId(hit.DocId), hit.Score)));
                }
            }
        }

        var hits = new Hit[100];
        SparseVector warm = RandomVectors.Graded(random, 0.5, 2);
        int[] terms = warm.Terms.ToArray();
        float[] weights = warm.Weights.ToArray();
        several.Search(terms, weights, hits);
        Assert.Equal(0, Allocations.Fewest(() => several.Search(terms, weights, hits)));
        if (precision == ImpactPrecision.Float32)
        {
            Assert.Contains("compact", Assert.Throws<ArgumentException>(() => several.Search(warm, 1, new SparseSearchOptions { Scoring = ScoringMode.Impacts })).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void SeveralDenseSegmentsGiveWhatOneGives()
    {
        var random = new Random(52);
        string[] ids = RandomVectors.Ids(random, 3000);
        float[][] vectors = [.. ids.Select(_ => Enumerable.Range(0, 20).Select(_ => (float)random.Next(-2, 3)).ToArray())];
        var settings = new IndexSettings { Kind = VectorKind.Dense, Dimension = 20, Scan = DenseScan.BFloat16 };
        using (var writer = SegmentedIndexWriter.Create(_directory.File("several"), settings, new SegmentedIndexWriterOptions { BackgroundMerge = false, LogByteCount = 64 << 20 }))
        {
            for (int i = 0; i < ids.Length; i++)
            {
                writer.Upsert(new IndexDocument(ids[i]) { Dense = vectors[i] });
                if (i is 1400 or 2500)
                {
                    writer.Flush();
                }
            }

            Array.ForEach(ids[..100], id => writer.Delete(id));
            writer.Commit();
        }

        using (var builder = new SegmentBuilder(_directory.File("one"), settings))
        {
            for (int i = 100; i < ids.Length; i++)
            {
                builder.Add(new IndexDocument(ids[i]) { Dense = vectors[i] });
            }

            builder.Complete();
        }

        using var several = SegmentedIndex.Open(_directory.File("several"));
        using var one = DenseIndex.Open(_directory.File("one"));
        float[][] queries = [.. Enumerable.Range(0, 6).Select(_ => Enumerable.Range(0, 20).Select(_ => (float)random.Next(-2, 3)).ToArray())];
        foreach (int k in (int[])[1, 10, 5000])
        {
            Hit[][] batch = several.SearchBatch(queries, k, 2);
            for (int q = 0; q < queries.Length; q++)
            {
                var expected = one.Search(queries[q], k).Select(hit => (one.ExternalId(hit.DocId), hit.Score)).ToArray();
                Assert.Equal(expected, several.Search(queries[q], k).Select(hit => (several.ExternalId(hit.DocId), hit.Score)));
                Assert.Equal(expected, batch[q].Select(hit => (several.ExternalId(hit.DocId), hit.Score)));
            }
        }
    }

    [Fact]
    public void FieldsFollowTheirDocumentsWhenThoseAreReordered()
    {
        var random = new Random(53);
        var settings = new IndexSettings { Kind = VectorKind.Sparse, Dimension = RandomVectors.GradedVocabularySize, Fields = [new FieldDefinition("number", FieldKind.Number)] };
        using (var builder = new SegmentBuilder(_directory.Path, settings))
        {
            for (int i = 0; i < 2000; i++)
            {
                builder.Add(new IndexDocument($"{i}") { Sparse = RandomVectors.Graded(random, random.NextDouble(), 2), Fields = new Dictionary<string, FieldValue> { ["number"] = FieldValue.Of((double)i) } });
            }

            builder.Reorder();
            builder.Complete();
        }

        using var index = SegmentedIndex.Open(_directory.Path);
        Assert.NotEqual("0", index.ExternalId(0));
        DocumentFilter filter = index.Filter("number < 700");
        Assert.All(Enumerable.Range(0, 2000), docId => Assert.Equal(int.Parse(index.ExternalId(docId)) < 700, filter.Contains(docId)));
    }

    public void Dispose() => _directory.Dispose();
}
