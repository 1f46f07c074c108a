using CsCheck;
using Tern.Retrieval.Files;
using Tern.TestKit;
using Xunit;

namespace Tern.Retrieval.Tests.Dense;

public class DenseIndexTests
{
    [Fact]
    public void ReturnsWhatANaiveScorerReturns() =>
        Gen.Select(Gen.Int[1, 600], Gen.Int[1, 80], Gen.Bool, Gen.Int).Sample(
            (count, dimension, whole, seed) =>
            {
                var random = new Random(seed);
                using var directory = new TemporaryDirectory();
                string[] ids = RandomVectors.Ids(random, count);
                float[][] vectors = [.. ids.Select(_ => Vector(random, dimension, whole))];
                using DenseIndex index = Build(directory, ids, vectors);
                for (int q = 0; q < 4; q++)
                {
                    float[] query = Vector(random, dimension, whole);
                    foreach (int k in (int[])[0, 1, 7, count + 3])
                    {
                        List<(string Id, float Score)> actual = [.. index.Search(query, k).Select(hit => (index.ExternalId(hit.DocId), hit.Score))];
                        if (whole)
                        {
                            // Small whole numbers: exact sums and many ties, negative scores among them.
                            Assert.Equal(NaiveSearch.TopK(ids.Zip(vectors, (id, v) => (id, (float)Dot(query, v))), k), actual);
                        }
                        else
                        {
                            double[] best = [.. vectors.Select(v => Dot(query, v)).OrderDescending().Take(k)];
                            Assert.Equal(best.Length, actual.Count);
                            for (int i = 0; i < best.Length; i++)
                            {
                                Assert.True(Math.Abs(actual[i].Score - best[i]) <= 1e-5 * dimension, $"place {i}: {actual[i].Score}, exactly {best[i]}");
                            }
                        }
                    }
                }
            },
            iter: 12);

    [Theory]
    [InlineData(1)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(100)]
    public void ABatchGivesTheBitsOfSingleSearches(int dimension)
    {
        var random = new Random(dimension);
        using var directory = new TemporaryDirectory();
        string[] ids = RandomVectors.Ids(random, 1000);
        using DenseIndex index = Build(directory, ids, [.. ids.Select(_ => Vector(random, dimension, whole: false))]);
        float[][] queries = [.. Enumerable.Range(0, 150).Select(_ => Vector(random, dimension, whole: false))];
        foreach (int threads in (int[])[1, 3])
        {
            Hit[][] batch = index.SearchBatch(queries, 20, threads);
            for (int i = 0; i < queries.Length; i++)
            {
                Assert.Equal(index.Search(queries[i], 20), batch[i]);
            }
        }

        Assert.Empty(index.SearchBatch([], 5));
    }

    [Fact]
    public void ManyThreadsGetWhatOneThreadGetsWithoutAllocatingQueues()
    {
        var random = new Random(4);
        using var directory = new TemporaryDirectory();
        string[] ids = RandomVectors.Ids(random, 500);
        using DenseIndex index = Build(directory, ids, [.. ids.Select(_ => Vector(random, 16, whole: true))]);
        float[][] queries = [.. Enumerable.Range(0, 64).Select(_ => Vector(random, 16, whole: true))];
        Hit[][] expected = [.. queries.Select(query => index.Search(query, 10))];
        Parallel.For(0, 512, i => Assert.Equal(expected[i % 64], index.Search(queries[i % 64], 10)));
        var hits = new Hit[10];
        index.Search(queries[0], hits);
        Assert.Equal(0, Allocations.Fewest(() => index.Search(queries[0], hits)));
    }

    [Fact]
    public void RefusesWhatDoesNotFit()
    {
        using var directory = new TemporaryDirectory();
        using (var builder = new DenseIndexBuilder(directory.Path, 2, "model"))
        {
            Assert.Throws<ArgumentException>(() => builder.Add("a", [1f]));
            Assert.Throws<ArgumentException>(() => builder.Add("a", [1f, float.NaN]));
            builder.Add("a", [1f, -2f]);
            builder.Complete();
        }

        using var index = DenseIndex.Open(directory.Path);
        Assert.Equal(("model", 2, 1), (index.Fingerprint, index.Dimension, index.DocumentCount));
        Assert.Equal([1f, -2f], index.Vector(0).ToArray());
        Assert.Throws<ArgumentException>(() => index.Search([1f], 1));
        Assert.Throws<ArgumentException>(() => index.Search([1f, float.PositiveInfinity], 1));
        Assert.Contains("a dense index where a sparse one is needed", Assert.Throws<InvalidDataException>(() => SparseIndex.Open(directory.Path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("vectors")]
    [InlineData("params")]
    [InlineData("idstart")]
    [InlineData("idbytes")]
    [InlineData("idrank")]
    [InlineData("idorder")]
    [InlineData("scan8")]
    [InlineData("scan16")]
    [InlineData("scanscal")]
    [InlineData("scanerr")]
    [InlineData("scannorm")]
    public void AFlippedBitOrACutInAnySectionIsFound(string section)
    {
        using var directory = new TemporaryDirectory();
        Build(directory, ["a", "bb", "c"], [[1f, 2f], [3f, 4f], [5f, 6f]], section == "scan16" ? DenseScan.BFloat16 : DenseScan.Int8).Dispose();
        string path = directory.File("dense.tern");
        byte[] whole = File.ReadAllBytes(path);
        long offset;
        using (SectionFile file = SectionFile.Open(path, DenseIndex.Magic))
        {
            offset = file.Place(section).Offset;
        }

        byte[] damaged = [.. whole];
        damaged[offset] ^= 1;
        File.WriteAllBytes(path, damaged);
        Assert.StartsWith($"{path}: section '{section}' at offset {offset}: ", Assert.Throws<InvalidDataException>(() => DenseIndex.Open(directory.Path)).Message, StringComparison.Ordinal);
        File.WriteAllBytes(path, whole[..(int)(offset + 1)]);
        Assert.StartsWith($"{path}: section '{section}' at offset {offset + 1}: ", Assert.Throws<InvalidDataException>(() => DenseIndex.Open(directory.Path, verify: false)).Message, StringComparison.Ordinal);
    }

    private static double Dot(float[] a, float[] b) => a.Zip(b, (x, y) => (double)x * y).Sum();

    private static float[] Vector(Random random, int dimension, bool whole)
    {
        var vector = new float[dimension];
        for (int i = 0; i < dimension; i++)
        {
            vector[i] = whole ? random.Next(-2, 3) : (float)((2 * random.NextDouble()) - 1);
        }

        return vector;
    }

    private static DenseIndex Build(TemporaryDirectory directory, string[] ids, float[][] vectors, DenseScan scan = DenseScan.Float32)
    {
        using var builder = new DenseIndexBuilder(directory.Path, vectors[0].Length, "", scan);
        for (int i = 0; i < ids.Length; i++)
        {
            builder.Add(ids[i], vectors[i]);
        }

        builder.Complete();
        return DenseIndex.Open(directory.Path);
    }
}
