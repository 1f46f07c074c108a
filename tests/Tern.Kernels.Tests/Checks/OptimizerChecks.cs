using Tern.Compute;
using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;

namespace Tern.Kernels.Tests.Checks;

internal static class OptimizerChecks
{
    public static void AdamW(EmulatedKernels kernels)
    {
        AdamWSettings settings = new(0.9f, 0.99f, 1e-6f, 0.1f);
        const float LearningRate = 1e-3f, GradientScale = 0.5f;
        foreach (int count in new[] { 1, 1025 })
        {
            using HostMatrix first = KernelValues.Of(new float[count], 1, count), second = KernelValues.Of(new float[count], 1, count), parameter = KernelValues.Normal(1, 1, count);
            double[] m = new double[count], v = new double[count], p = parameter.Doubles();
            for (int step = 1; step <= 3; step++)
            {
                using HostMatrix gradient = KernelValues.Normal(step + 1, 1, count);
                for (int i = 0; i < count; i++)
                {
                    LossOracles.AdamW((double)gradient[0, i] * GradientScale, settings, LearningRate, step, ref m[i], ref v[i], ref p[i]);
                }

                float decay = (float)(1 - ((double)LearningRate * settings.WeightDecay)), stepSize = (float)(LearningRate / (1 - Math.Pow(settings.Beta1, step))), correction = (float)(1 / Math.Sqrt(1 - Math.Pow(settings.Beta2, step)));
                kernels.Launch("tern_adamw_f32", GradientScale, settings.Beta1, settings.Beta2, decay, stepSize, correction, settings.Epsilon, count, gradient, first, second, parameter);
                gradient.ShouldBe("gradient", new double[count], new Tolerance(0));
            }

            first.ShouldBe("first moment", m, Tolerance.For(DType.Float32, 5));
            second.ShouldBe("second moment", v, Tolerance.For(DType.Float32, 5));
            parameter.ShouldBe("parameter", p, Tolerance.For(DType.Float32, 5));
        }
    }

    public static void SumOfSquares(EmulatedKernels kernels)
    {
        foreach (int count in new[] { 1, 255, 70_001 })
        {
            using HostMatrix values = KernelValues.Normal(1, 1, count);
            SumOfSquaresShouldBe(kernels, values, values.Doubles().Sum(x => x * x), 1e-12);
        }
    }

    public static void SumOfSquaresShouldBe(EmulatedKernels kernels, HostMatrix values, double expected, double tolerance)
    {
        int blocks = Math.Min((values.Tensor.Columns + 1023) / 1024, 1024);
        using HostMatrix partials = new(blocks, 2, DType.Int32); // Float64, two words each
        kernels.Launch("tern_sum_of_squares_f32", values, values.Tensor.Columns, partials);
        SumShouldBe(kernels, partials, blocks, expected, tolerance);
    }

    public static void SumsOfSquares(EmulatedKernels kernels)
    {
        HostMatrix[] tensors = [.. new[] { 1, 1023, 1024, 1025, 3, 70_001, 8 }.Select((count, i) => KernelValues.Normal(i + 1, 1, count))];
        using HostMatrix addresses = Longs(tensors.Select(t => (long)t.Tensor.Address)), counts = Longs(tensors.Select(t => (long)t.Tensor.Columns));
        foreach (int blocks in new[] { 75, 7, 1 })
        {
            using HostMatrix partials = new(blocks, 2, DType.Int32);
            kernels.Launch("tern_sums_of_squares_f32", addresses, counts, tensors.Length, blocks, partials);
            SumShouldBe(kernels, partials, blocks, tensors.Sum(t => t.Doubles().Sum(x => x * x)), 1e-12);
        }

        Array.ForEach(tensors, t => t.Dispose());
    }

    private static void SumShouldBe(EmulatedKernels kernels, HostMatrix partials, int blocks, double expected, double tolerance)
    {
        using HostMatrix sum = new(1, 2, DType.Int32);
        kernels.Launch("tern_sum_f64", partials, blocks, sum);
        double actual = BitConverter.Int64BitsToDouble(((long)sum.Integer(0, 1) << 32) | (uint)sum.Integer(0, 0));
        Assert.True(Math.Abs(actual - expected) <= tolerance * expected, $"sum of squares {actual}, expected {expected}");
        partials.AssertGapsUntouched();
    }

    private static HostMatrix Longs(IEnumerable<long> values) => HostMatrix.Integers([.. values.SelectMany(v => new[] { (int)v, (int)(v >> 32) })]);
}
