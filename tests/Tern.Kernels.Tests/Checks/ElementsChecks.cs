using Tern.Compute;
using Tern.TestKit;
using Xunit;

namespace Tern.Kernels.Tests.Checks;

internal static class ElementsChecks
{
    public static void AddScaled(EmulatedKernels kernels)
    {
        foreach (int count in new[] { 1, 1023, 1024, 1025, 3000 })
        {
            using HostMatrix source = KernelValues.Normal(1, 1, count), sum = KernelValues.Normal(2, 1, count);
            double[] expected = [.. sum.Doubles().Zip(source.Doubles(), (x, y) => x - (0.75 * y))];
            kernels.Launch("tern_add_scaled_f32", source, -0.75f, count, sum);
            sum.ShouldBe("sum", expected, Tolerance.For(DType.Float32, 1));
        }
    }

    public static void Copy(EmulatedKernels kernels)
    {
        foreach ((DType from, DType to) in new[] { (DType.Float32, DType.BFloat16), (DType.BFloat16, DType.Float32) })
        {
            foreach ((int rows, int columns) in new[] { (1, 1), (3, 7), (2, 1025) })
            {
                using HostMatrix source = KernelValues.Normal(3, rows, columns, from, columns + 3), copy = new(rows, columns, to, columns + 1);
                kernels.Launch($"tern_copy_{from.Suffix()}_{to.Suffix()}", source, columns + 3, rows, columns, columns + 1, copy);
                float[] expected = to == DType.BFloat16 ? TestValues.RoundToBFloat16(source.Floats()) : source.Floats();
                Assert.Equal(expected, copy.Floats());
                copy.AssertGapsUntouched();
            }
        }
    }
}
