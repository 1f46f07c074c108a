using Tern.Compute;
using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;

namespace Tern.Kernels.Tests.Checks;

/// <summary>The two heads' ends.</summary>
internal static class HeadChecks
{
    public static void Log1pRelu(EmulatedKernels kernels)
    {
        foreach (int count in new[] { 1, 1025 })
        {
            float[] values = [.. TestValues.Normal(count, 1, 3).Select((x, i) => i % 3 == 0 ? x * 1e-4f : x)];
            using HostMatrix maxima = KernelValues.Of(values, 1, count), d = KernelValues.Normal(2, 1, count), output = new(1, count);
            double[] x = maxima.Doubles(), dy = d.Doubles();
            kernels.Launch("tern_log1p_relu_forward_f32", maxima, count, output);
            output.ShouldBe("ln(1 + x)", HeadOracles.Log1pRelu(x), Tolerance.OfRoundoffs(DType.Float32, 8));
            kernels.Launch("tern_log1p_relu_backward_f32", d, maxima, count, d);
            d.ShouldBe("dx", [.. x.Zip(dy, (v, g) => v > 0 ? g / (1 + v) : 0)], Tolerance.OfRoundoffs(DType.Float32, 4));
        }

        using HostMatrix special = KernelValues.Of([float.NegativeInfinity, float.PositiveInfinity, float.NaN, 1e-30f], 1, 4);
        kernels.Launch("tern_log1p_relu_forward_f32", special, 4, special);
        Assert.Equal([0, float.PositiveInfinity, float.NaN, 1e-30f], special.Floats());
    }

    public static void NormalizedMean(EmulatedKernels kernels, DType type)
    {
        foreach ((int columns, int[] lengths) in new[] { (2, new[] { 1 }), (7, [3, 0, 1, 12]), (300, [2, 5]) })
        {
            int[] starts = TestValues.Starts(lengths);
            int rows = starts[^1];
            using HostMatrix hidden = KernelValues.Normal(1, rows, columns, type, columns + 1), d = KernelValues.Normal(2, lengths.Length, columns), sequenceStarts = HostMatrix.Integers(starts);
            using HostMatrix inverse = new(1, rows), mean = new(lengths.Length, columns), dHidden = new(rows, columns, type, columns + 2);
            double[] x = hidden.Doubles(), inverses = new double[rows];
            double[] Forward() => HeadOracles.NormalizedMean(x, starts, columns, inverses);
            double[] expected = Forward();
            kernels.Launch($"tern_inverse_norms_{type.Suffix()}", hidden, columns + 1, rows, columns, inverse);
            inverse.ShouldBe("inverse norms", inverses, Tolerance.For(DType.Float32, columns));
            kernels.Launch($"tern_normalized_mean_forward_{type.Suffix()}", hidden, columns + 1, inverse, sequenceStarts, lengths.Length, columns, columns, mean);
            mean.ShouldBe("mean", expected, Tolerance.For(DType.Float32, columns + rows));
            kernels.Launch($"tern_normalized_mean_backward_{type.Suffix()}", d, columns, hidden, columns + 1, inverse, sequenceStarts, lengths.Length, rows, columns, columns + 2, dHidden);
            dHidden.ShouldBe("dHidden", CentralDifferences.Gradient(Forward, x, d.Doubles()), type.Tolerance(columns));
        }

        // A row of zeros, and one below the smallest norm: the gradient is linear there.
        using HostMatrix small = KernelValues.Of([0f, 0, 3e-13f, 0], 2, 2), two = HostMatrix.Integers(0, 2), inverseNorms = new(1, 2), dy = KernelValues.Of([1e-12f, -2e-12f], 1, 2), dSmall = new(2, 2);
        kernels.Launch("tern_inverse_norms_f32", small, 2, 2, 2, inverseNorms);
        kernels.Launch("tern_normalized_mean_backward_f32", dy, 2, small, 2, inverseNorms, two, 1, 2, 2, 2, dSmall);
        dSmall.ShouldBe("dHidden of clamped rows", [0.5, -1, 0.5, -1], Tolerance.OfRoundoffs(DType.Float32, 4));
    }
}
