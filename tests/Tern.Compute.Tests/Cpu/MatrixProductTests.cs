using Tern.Compute.Cpu;
using Tern.Compute.Threading;
using Tern.TestKit;
using Xunit;

namespace Tern.Compute.Tests.Cpu;

public class MatrixProductTests
{
    private static readonly (int M, int N, int K)[] Shapes =
    [
        (1, 1, 1), (2, 3, 5), (5, 17, 3), (6, 16, 8), (14, 32, 4), (13, 33, 31), (31, 15, 100), (100, 31, 33), (7, 65, 17),
        (1, 100, 129), (3, 200, 64), (8, 33, 50), (28, 64, 16), (33, 16, 1),
    ];

    public static TheoryData<string, bool, bool, bool> Cases()
    {
        TheoryData<string, bool, bool, bool> cases = [];
        foreach (SimdPath path in SimdPaths.All)
        {
            for (int bits = 0; bits < 8; bits++)
            {
                cases.Add(path.Name, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0);
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void AgreesWithTheOracle(string path, bool transposeLeft, bool transposeRight, bool accumulate)
    {
        using WorkerPool pool = new(2);
        foreach ((int m, int n, int k) in Shapes)
        {
            foreach (DType type in new[] { DType.Float32, DType.BFloat16 })
            {
                using HostMatrix left = transposeLeft ? HostMatrix.Random(1, k, m, pitch: m + 3) : HostMatrix.Random(1, m, k, pitch: k + 5);
                using HostMatrix right = transposeRight ? HostMatrix.Random(2, n, k, type, k + 1) : HostMatrix.Random(2, k, n, type, n + 2);
                using HostMatrix actual = HostMatrix.Random(3, m, n, pitch: n + 7);
                using HostMatrix before = actual.Clone();
                MatrixProduct.Multiply(Path(path).Kernels.Products, pool, left.Tensor, transposeLeft, right.Tensor, transposeRight, accumulate, actual.Tensor);

                double Sum(int i, int j, Func<double, double> term)
                {
                    double sum = accumulate ? term(before[i, j]) : 0;
                    for (int z = 0; z < k; z++)
                    {
                        sum += term((double)(transposeLeft ? left[z, i] : left[i, z]) * (transposeRight ? right[j, z] : right[z, j]));
                    }

                    return sum;
                }

                OracleAssert.Close(
                    $"{path} {m}x{n}x{k} {type}",
                    actual,
                    (i, j) => Sum(i, j, x => x),
                    (i, j) => Tolerance.OfSum(DType.Float32, k, Sum(i, j, Math.Abs)));
                actual.AssertGapsUntouched();
            }
        }
    }

    [Theory]
    [InlineData(false, false, 120, 530, 500)]
    [InlineData(false, true, 120, 530, 500)]
    [InlineData(true, false, 120, 530, 500)]
    [InlineData(true, true, 120, 530, 500)]
    [InlineData(true, false, 300, 70, 1030)]
    public void EveryPathAndThreadCountGivesTheBitsOfOneChain(bool transposeLeft, bool transposeRight, int m, int n, int k)
    {
        // Deep enough for several steps of the inner dimension, wide and tall enough for several tasks.
        using HostMatrix left = transposeLeft ? HostMatrix.Random(1, k, m) : HostMatrix.Random(1, m, k);
        using HostMatrix right = transposeRight ? HostMatrix.Random(2, n, k) : HostMatrix.Random(2, k, n);
        using HostMatrix start = HostMatrix.Random(3, m, n);
        foreach (bool accumulate in new[] { false, true })
        {
            int[]? expected = null;
            foreach (SimdPath path in SimdPaths.All)
            {
                foreach (int threads in new[] { 1, 2, 5 })
                {
                    using WorkerPool pool = new(threads);
                    using HostMatrix actual = start.Clone();
                    MatrixProduct.Multiply(path.Kernels.Products, pool, left.Tensor, transposeLeft, right.Tensor, transposeRight, accumulate, actual.Tensor);
                    expected ??= Chain(left, transposeLeft, right, transposeRight, accumulate ? start : null, m, n, k);
                    Assert.Equal(expected, actual.Bits());
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(PathNames))]
    public void ARowAloneHasTheBitsOfTheRowInABatch(string path)
    {
        (int m, int n, int k) = (47, 130, 700);
        using WorkerPool pool = new(2);
        using HostMatrix left = HostMatrix.Random(1, m, k);
        using HostMatrix right = HostMatrix.Random(2, n, k);
        using HostMatrix batch = new(m, n);
        MatrixProduct.Multiply(Path(path).Kernels.Products, pool, left.Tensor, false, right.Tensor, true, false, batch.Tensor);
        foreach ((int first, int count) in new[] { (0, 1), (46, 1), (5, 2), (11, 7), (3, 20) })
        {
            using HostMatrix alone = new(count, n);
            MatrixProduct.Multiply(Path(path).Kernels.Products, pool, left.Tensor.SliceRows(first, count), false, right.Tensor, true, false, alone.Tensor);
            Assert.Equal(batch.Bits().AsSpan(first * n, count * n).ToArray(), alone.Bits());
        }
    }

    [Fact]
    public void NothingIsAllocatedInSteadyState()
    {
        using WorkerPool pool = new(2);
        using HostMatrix left = HostMatrix.Random(1, 300, 64);
        using HostMatrix right = HostMatrix.Random(2, 96, 64);
        using HostMatrix destination = new(300, 96);
        for (int warm = 0; warm < 3; warm++)
        {
            MatrixProduct.Multiply(SimdPaths.Current.Kernels.Products, pool, left.Tensor, false, right.Tensor, true, false, destination.Tensor);
        }

        Assert.Equal(0, Allocations.Fewest(() => MatrixProduct.Multiply(SimdPaths.Current.Kernels.Products, pool, left.Tensor, false, right.Tensor, true, false, destination.Tensor)));
    }

    [Fact]
    public void EmptyDimensions()
    {
        using WorkerPool pool = new(2);
        using HostMatrix left = HostMatrix.Random(1, 3, 4);
        using HostMatrix right = HostMatrix.Random(2, 5, 4);
        using HostMatrix destination = HostMatrix.Random(3, 3, 5);
        using HostMatrix before = destination.Clone();
        MatrixProduct.Multiply(SimdPaths.Current.Kernels.Products, pool, left.Tensor.SliceRows(0, 0), false, right.Tensor, true, false, destination.Tensor.SliceRows(0, 0));
        Assert.Equal(before.Bits(), destination.Bits());

        Tensor noDepth = left.Tensor with { Columns = 0 };
        Tensor noDepthRight = right.Tensor with { Columns = 0 };
        MatrixProduct.Multiply(SimdPaths.Current.Kernels.Products, pool, noDepth, false, noDepthRight, true, true, destination.Tensor);
        Assert.Equal(before.Bits(), destination.Bits());
        MatrixProduct.Multiply(SimdPaths.Current.Kernels.Products, pool, noDepth, false, noDepthRight, true, false, destination.Tensor);
        Assert.All(destination.Bits(), b => Assert.Equal(0, b));
    }

    [Fact]
    public void ShapesAndTypesThatDoNotAgreeAreRefused()
    {
        using WorkerPool pool = new(1);
        using HostMatrix a = HostMatrix.Random(1, 3, 4);
        using HostMatrix b = HostMatrix.Random(2, 5, 4);
        using HostMatrix c = new(3, 5);
        using HostMatrix half = new(3, 4, DType.BFloat16);
        ArgumentException shapes = Assert.Throws<ArgumentException>(() => MatrixProduct.Multiply(SimdPaths.Current.Kernels.Products, pool, a.Tensor, false, b.Tensor, false, false, c.Tensor));
        Assert.Contains("[5, 4]", shapes.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => MatrixProduct.Multiply(SimdPaths.Current.Kernels.Products, pool, half.Tensor, false, b.Tensor, true, false, c.Tensor));
        Assert.Throws<ArgumentException>(() => MatrixProduct.Multiply(SimdPaths.Current.Kernels.Products, pool, a.Tensor, false, b.Tensor, true, false, c.Tensor with { Rows = 2 }));
    }

    public static TheoryData<string> PathNames() => [.. SimdPaths.All.Select(p => p.Name)];

    internal static SimdPath Path(string name) => SimdPaths.All.Single(p => p.Name == name);

    /// <summary>The definition of a product's bits.</summary>
    private static int[] Chain(HostMatrix left, bool transposeLeft, HostMatrix right, bool transposeRight, HostMatrix? start, int m, int n, int k)
    {
        int[] bits = new int[m * n];
        float[] row = new float[k];
        float[][] columns = [.. Enumerable.Range(0, n).Select(j => Enumerable.Range(0, k).Select(z => transposeRight ? right[j, z] : right[z, j]).ToArray())];
        for (int i = 0; i < m; i++)
        {
            for (int z = 0; z < k; z++)
            {
                row[z] = transposeLeft ? left[z, i] : left[i, z];
            }

            for (int j = 0; j < n; j++)
            {
                float sum = start is null ? 0 : start[i, j];
                for (int z = 0; z < k; z++)
                {
                    sum = MathF.FusedMultiplyAdd(row[z], columns[j][z], sum);
                }

                bits[(i * n) + j] = BitConverter.SingleToInt32Bits(sum);
            }
        }

        return bits;
    }
}
