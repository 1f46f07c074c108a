using CsCheck;
using Tern.TestKit;
using Xunit;

namespace Tern.Retrieval.Tests.Dense;

/// <summary>A scan of a narrow copy, and a batch, give the hits and the score bits of the float32 scan.</summary>
public class DenseScanTests
{
    public static TheoryData<DenseScan> Scans => [DenseScan.Float32, DenseScan.BFloat16, DenseScan.Int8];

    [Theory]
    [MemberData(nameof(Scans))]
    public void HitsAndScoresAreThoseOfTheFloat32Scan(DenseScan scan) =>
        Gen.Select(Gen.Int[1, 3000], Gen.Int[1, 150], Gen.Int[0, 5], Gen.Int).Sample(
            (count, dimension, kind, seed) =>
            {
                var random = new Random(seed);
                using var directory = new TemporaryDirectory();
                string[] ids = RandomVectors.Ids(random, count);
                float[] centre = Vector(random, dimension, 1);
                float[][] vectors = [.. ids.Select(_ => Vector(random, dimension, kind, centre))];
                using DenseIndex index = Build(directory, ids, vectors, scan);
                float[][] queries = [.. Enumerable.Range(0, 6).Select(_ => Vector(random, dimension, kind, centre))];
                foreach (int k in (int[])[1, 10, 200, count])
                {
                    Hit[][] expected = [.. queries.Select(query => Exact(index, query, k))];
                    for (int i = 0; i < queries.Length; i++)
                    {
                        Assert.Equal(expected[i], index.Search(queries[i], k));
                    }

                    Assert.Equal(expected, index.SearchBatch(queries, k, 2));
                }
            },
            iter: 30);

    /// <summary>The float32 scan itself, against every score written out: order, ties and filter.</summary>
    [Theory]
    [MemberData(nameof(Scans))]
    public void AFilterAdmitsOnlyItsDocuments(DenseScan scan)
    {
        var random = new Random(5);
        using var directory = new TemporaryDirectory();
        string[] ids = RandomVectors.Ids(random, 1500);
        // Small whole numbers: exact sums in any order, many ties.
        float[][] vectors = [.. ids.Select(_ => Vector(random, 40, 0))];
        using DenseIndex index = Build(directory, ids, vectors, scan);
        float[][] queries = [.. Enumerable.Range(0, 5).Select(_ => Vector(random, 40, 0))];
        foreach (int share in (int[])[2, 30, 2000])
        {
            var filter = new DocumentFilter(1500);
            bool[] admitted = [.. ids.Select(_ => random.Next(share) == 0)];
            for (int i = 0; i < ids.Length; i++)
            {
                if (admitted[i])
                {
                    filter.Add(i);
                }
            }

            Hit[][] batch = index.SearchBatch(queries, 20, 2, filter);
            for (int q = 0; q < queries.Length; q++)
            {
                var expected = NaiveSearch.TopK(Enumerable.Range(0, ids.Length).Where(i => admitted[i]).Select(i => (ids[i], queries[q].Zip(vectors[i], (a, b) => a * b).Sum())), 20);
                var hits = new Hit[20];
                int count = index.Search(queries[q], hits, filter, scan);
                Assert.Equal(expected, hits[..count].Select(hit => (index.ExternalId(hit.DocId), hit.Score)));
                Assert.Equal(hits[..count], batch[q]);
            }
        }

        Assert.Throws<ArgumentException>(() => index.Search(queries[0], new Hit[3], new DocumentFilter(1499), scan));
    }

    /// <summary>Sums of large parts that cancel: their rounding is as large as the scores, and a product adds in another order.</summary>
    [Fact]
    public void ABatchIsExactWhereSumsCancel()
    {
        var random = new Random(6);
        using var directory = new TemporaryDirectory();
        string[] ids = RandomVectors.Ids(random, 2000);
        float[] centre = Vector(random, 150, 1);
        float[][] vectors = [.. ids.Select(_ => Enumerable.Range(0, 150).Select(i => ((i & 1) == 0 ? centre[i] : -centre[i - 1]) + (float)((random.NextDouble() - 0.5) * 1e-7)).ToArray())];
        float[][] queries = [.. Enumerable.Range(0, 8).Select(_ => Vector(random, 75, 1).SelectMany(value => new[] { value, value }).ToArray())];
        using DenseIndex index = Build(directory, ids, vectors, DenseScan.Int8);
        Hit[][] expected = [.. queries.Select(query => Exact(index, query, 10))];
        Assert.Equal(expected, index.SearchBatch(queries, 10, 2));
        Assert.Equal(expected, queries.Select(query => index.Search(query, 10)));
    }

    [Theory]
    [MemberData(nameof(Scans))]
    public void ASearchAllocatesNothing(DenseScan scan)
    {
        var random = new Random(4);
        using var directory = new TemporaryDirectory();
        string[] ids = RandomVectors.Ids(random, 5000);
        using DenseIndex index = Build(directory, ids, [.. ids.Select(_ => Vector(random, 70, 1))], scan);
        float[] query = Vector(random, 70, 1);
        var hits = new Hit[300];
        index.Search(query, hits);
        Assert.Equal(0, Allocations.Fewest(() => index.Search(query, hits)));
    }

    [Fact]
    public void OnlyTheCopyThatIsThereIsScanned()
    {
        using var directory = new TemporaryDirectory();
        using DenseIndex index = Build(directory, ["a"], [[1f]], DenseScan.Int8);
        Assert.Equal(DenseScan.Int8, index.Scan);
        Assert.Contains("no BFloat16 copy", Assert.Throws<ArgumentException>(() => index.Search([1f], new Hit[1], default, DenseScan.BFloat16)).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(directory.Path, "*.tmp"));
    }

    [Fact]
    public unsafe void KernelsOfEveryWidthAgree()
    {
        var random = new Random(9);
        const int Rows = 5, Length = 192;
        var bytes = new sbyte[Rows * Length];
        random.NextBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(bytes.AsSpan()));
        short[] whole = [.. Enumerable.Range(0, Length).Select(_ => (short)random.Next(-32767, 32768))];
        int[] expected = new int[Rows], actual = new int[Rows];
        fixed (sbyte* rows = bytes)
        fixed (short* query = whole)
        fixed (int* e = expected, a = actual)
        {
            ScanKernels.Int8RowsScalar(rows, Rows, query, Length, e);
            ScanKernels.Int8Rows(rows, Rows, query, Length, a);
            Assert.Equal(expected, actual);
            if (System.Runtime.Intrinsics.X86.Avx2.IsSupported)
            {
                ScanKernels.Int8Rows256(rows, Rows, query, Length, a);
                Assert.Equal(expected, actual);
            }
        }

        foreach (int length in (int[])[1, 15, 16, 63, 64, 100, 175, 256])
        {
            float[] x = Vector(random, 3 * length, 1), q = Vector(random, length, 1);
            float[] wide = new float[3], half = new float[3];
            fixed (float* rows = x, query = q, w = wide, h = half)
            {
                DotProduct.Rows512(rows, 3, query, length, w);
                DotProduct.Rows256(rows, 3, query, length, h);
            }

            Assert.Equal(wide.Select(BitConverter.SingleToInt32Bits), half.Select(BitConverter.SingleToInt32Bits));
        }
    }

    /// <summary>The bound holds for every row and is not much wider than what it bounds.</summary>
    [Fact]
    public void TheBoundsOfTheCopiesHold()
    {
        var random = new Random(11);
        for (int trial = 0; trial < 300; trial++)
        {
            int dimension = random.Next(1, 300);
            float[] row = Vector(random, dimension, trial % 6), query = Vector(random, dimension, (trial / 6) % 6);
            var bytes = new sbyte[ScanQuantizer.RowByteCount(DenseScan.Int8, dimension)];
            var halves = new ushort[ScanQuantizer.RowByteCount(DenseScan.BFloat16, dimension) / 2];
            ScanBound eight = ScanQuantizer.ToInt8(row, bytes), sixteen = ScanQuantizer.ToBFloat16(row, halves);
            double norm = Norm(query), exact = Dot(query, i => row[i]);
            Within(exact - Dot(query, i => bytes[i] * (double)eight.Scale), norm * eight.Error);
            Within(exact - Dot(query, i => BitConverter.UInt32BitsToSingle((uint)halves[i] << 16)), norm * sixteen.Error);
            Assert.True(eight.Error <= (1.01 * Norm(row) * Math.Sqrt(dimension) / 250) + 1e-30, $"{eight.Error} for a norm of {Norm(row)}");
            Assert.True(sixteen.Error <= Norm(row) / 250, $"{sixteen.Error} for a norm of {Norm(row)}");
        }

        static void Within(double difference, double bound) => Assert.True(Math.Abs(difference) <= bound, $"{difference} beyond {bound}");
    }

    private static double Norm(float[] vector) => Math.Sqrt(vector.Sum(value => (double)value * value));

    private static double Dot(float[] query, Func<int, double> row) => Enumerable.Range(0, query.Length).Sum(i => query[i] * row(i));

    private static Hit[] Exact(DenseIndex index, float[] query, int k)
    {
        var hits = new Hit[Math.Min(k, index.DocumentCount)];
        Assert.Equal(hits.Length, index.Search(query, hits, default, DenseScan.Float32));
        return hits;
    }

    private static float[] Vector(Random random, int dimension, int kind, float[]? centre = null)
    {
        // Whole numbers with ties; uniform; magnitudes far apart; all around one centre, so that scores nearly tie; zeros; large.
        double scale = kind == 2 ? Math.Pow(10, random.Next(-20, 15)) : kind == 5 ? 1e17 : 1;
        var vector = new float[dimension];
        for (int i = 0; i < dimension; i++)
        {
            vector[i] = kind switch
            {
                0 => random.Next(-2, 3),
                3 => (centre?[i] ?? 0.5f) + (float)((random.NextDouble() - 0.5) * 1e-4),
                4 => random.Next(8) == 0 ? random.Next(2) : 0,
                _ => (float)(((2 * random.NextDouble()) - 1) * scale),
            };
        }

        return vector;
    }

    private static DenseIndex Build(TemporaryDirectory directory, string[] ids, float[][] vectors, DenseScan scan)
    {
        using (var builder = new DenseIndexBuilder(directory.Path, vectors[0].Length, "", scan))
        {
            for (int i = 0; i < ids.Length; i++)
            {
                builder.Add(ids[i], vectors[i]);
            }

            builder.Complete();
        }

        return DenseIndex.Open(directory.Path);
    }
}
