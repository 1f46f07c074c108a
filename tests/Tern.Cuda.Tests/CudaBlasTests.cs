using Tern.Compute;
using Tern.TestKit;
using Xunit;

namespace Tern.Cuda.Tests;

/// <summary>Products of row-major matrices through cuBLAS's column-major ones, and the stand-in's checks of them.</summary>
public sealed class CudaBlasTests
{
    private static readonly (int M, int N, int K)[] Shapes = [(1, 1, 1), (2, 3, 5), (70, 9, 33), (5, 130, 64), (3, 4, 0)];

    [EmulatedDeviceTheory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void AgreesWithTheOracle(bool transposeLeft, bool transposeRight)
    {
        using TestTensors tensors = TestTensors.On("cuda:0", 1);
        foreach ((int m, int n, int k) in Shapes)
        {
            foreach (bool accumulate in new[] { false, true })
            {
                float[] a = TestValues.Normal(m * k, 1), b = TestValues.Normal(k * n, 2), before = TestValues.Normal(m * n, 3);
                Tensor left = transposeLeft ? tensors.Floats(a, k, m, m + 3) : tensors.Floats(a, m, k, k + 1);
                Tensor right = transposeRight ? tensors.Floats(b, n, k, k + 2) : tensors.Floats(b, k, n, n + 5);
                Tensor destination = accumulate ? tensors.Floats(before, m, n, n + 7) : tensors.Unset(m, n, n + 7);
                tensors.Backend.MatMul(left, transposeLeft, right, transposeRight, accumulate, destination);
                double[] expected = new double[m * n];
                for (int i = 0; i < m; i++)
                {
                    for (int j = 0; j < n; j++)
                    {
                        expected[(i * n) + j] = accumulate ? before[(i * n) + j] : 0;
                        for (int l = 0; l < k; l++)
                        {
                            expected[(i * n) + j] += (double)a[transposeLeft ? (l * m) + i : (i * k) + l] * b[transposeRight ? (j * k) + l : (l * n) + j];
                        }
                    }
                }

                Tolerance.For(DType.Float32, k + 1).Check($"{m}x{n}x{k}", tensors.Read(destination), expected, n);
            }
        }
    }

    [EmulatedDeviceFact]
    public void AMatrixThatLeavesItsMemoryIsRefused()
    {
        using Device device = new();
        using CudaBlas blas = new(device.Stream);
        using CudaDeviceVariable a = new(device.Stream, 6 * 4), b = new(device.Stream, 6 * 4), c = new(device.Stream, 4 * 4);
        Tensor left = new(a.Address, DType.Float32, 2, 3, isHost: false), right = new(b.Address, DType.Float32, 3, 2, isHost: false), product = new(c.Address, DType.Float32, 2, 2, isHost: false);
        blas.Multiply(left, false, right, false, 1, 0, product);
        Refuses("matrix B: 3 x 2 at a leading dimension of 4 takes 28 bytes, its memory has 24", left with { RowPitch = 4 }, right, product);
        Refuses("matrix C: 2 rows at a leading dimension of 1", left, right, product with { RowPitch = 1 });
        Refuses("matrix C: 2 x 2 at a leading dimension of 3 takes 20 bytes, its memory has 16", left, right, product with { RowPitch = 3 });
        Refuses("types 14, 0, 0", left, right with { DType = DType.BFloat16 }, product);

        void Refuses(string reason, Tensor l, Tensor r, Tensor p)
        {
            CudaException e = Assert.Throws<CudaException>(() => blas.Multiply(l, false, r, false, 1, 0, p));
            Assert.StartsWith("cublasGemmEx(", e.Message, StringComparison.Ordinal);
            Assert.Contains(reason, e.Message, StringComparison.Ordinal);
        }
    }
}
