using Tern.Compute;
using Tern.Compute.Tests.Oracles;
using Tern.TestKit;

namespace Tern.Kernels.Tests.Checks;

internal static class RmsNormChecks
{
    private const float Epsilon = 1e-5f;

    public static void Check(EmulatedKernels kernels, DType type) => Check(kernels, type, type);

    /// <summary>The residual stream's type, and that of what the norm makes of it.</summary>
    public static void Check(EmulatedKernels kernels, DType residual, DType normed)
    {
        foreach ((int rows, int columns, int pitch) in new[] { (1, 1, 1), (3, 7, 9), (5, 264, 320), (70, 33, 33), (2, 2072, 2080) })
        {
            Forward(kernels, residual, normed, rows, columns, pitch);
            Backward(kernels, normed, residual, rows, columns, pitch);
        }
    }

    private static void Forward(EmulatedKernels kernels, DType type, DType outType, int rows, int columns, int pitch)
    {
        using HostMatrix x = KernelValues.Normal(1, rows, columns, type, pitch, scale: 3), weight = KernelValues.Normal(2, 1, columns);
        using HostMatrix inverse = new(1, rows), y = new(rows, columns, outType, pitch);
        double[] inverses = new double[rows];
        double[] expected = TransformerOracles.RmsNorm(x.Doubles(), weight.Doubles(), Epsilon, rows, columns, inverses);
        kernels.Launch($"tern_rmsnorm_forward_{Suffix(type, outType)}", x, pitch, weight, Epsilon, rows, columns, pitch, inverse, y);
        y.ShouldBe($"y [{rows}, {columns}]", expected, outType.Tolerance(columns));
        inverse.ShouldBe("inverse rms", inverses, Tolerance.For(DType.Float32, columns));
    }

    private static string Suffix(DType from, DType to) => from == to ? from.Suffix() : $"{from.Suffix()}_{to.Suffix()}";

    private static void Backward(EmulatedKernels kernels, DType dType, DType type, int rows, int columns, int pitch)
    {
        using HostMatrix x = KernelValues.Normal(1, rows, columns, type, pitch, scale: 3), weight = KernelValues.Normal(2, 1, columns), dy = KernelValues.Normal(3, rows, columns, dType, pitch);
        using HostMatrix dx = KernelValues.Normal(4, rows, columns, type, pitch), dWeight = KernelValues.Normal(5, 1, columns);
        int bandCount = (rows + 63) / 64;
        using HostMatrix bands = new(bandCount, columns);
        double[] inverses = new double[rows];
        TransformerOracles.RmsNorm(x.Doubles(), weight.Doubles(), Epsilon, rows, columns, inverses);
        using HostMatrix inverse = KernelValues.Of(inverses, 1, rows);
        double[] values = x.Doubles(), d = dy.Doubles(), w = weight.Doubles(), expected = dx.Doubles(), expectedWeight = dWeight.Doubles();
        for (int t = 0; t < rows; t++)
        {
            double mean = 0;
            for (int i = t * columns; i < (t + 1) * columns; i++)
            {
                mean += d[i] * w[i % columns] * values[i] * inverses[t] / columns;
                expectedWeight[i % columns] += d[i] * values[i] * inverses[t];
            }

            for (int i = t * columns; i < (t + 1) * columns; i++)
            {
                expected[i] += inverses[t] * ((d[i] * w[i % columns]) - (values[i] * inverses[t] * mean));
            }
        }

        kernels.Launch($"tern_rmsnorm_backward_{Suffix(dType, type)}", dy, pitch, x, pitch, weight, inverse, rows, columns, pitch, dx);
        dx.ShouldBe($"dx [{rows}, {columns}]", expected, type.Tolerance(columns));
        kernels.Launch($"tern_rmsnorm_backward_bands_{Suffix(dType, type)}", dy, pitch, x, pitch, inverse, rows, columns, bands);
        bands.AssertGapsUntouched();
        kernels.Launch("tern_sum_bands_f32", bands, bandCount, columns, dWeight);
        dWeight.ShouldBe("dWeight", expectedWeight, Tolerance.For(DType.Float32, rows));
    }
}
