using Tern.TestKit;
using Xunit;

namespace Tern.Compute.Tests.Cpu;

public sealed class SquaredSumTests
{
    [Theory]
    [ClassData(typeof(BackendCases))]
    public void AgreesWithASumInDoublePrecision(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int rows, int columns, int pitch) in new[] { (0, 3, 3), (1, 1, 1), (3, 7, 7), (5, 9, 12), (41, 1999, 1999) })
        {
            float[] values = TestValues.Normal(rows * columns, 1, 100);
            double expected = values.Sum(x => (double)x * x);
            double actual = tensors.Backend.SumOfSquares(tensors.Floats(values, rows, columns, pitch));
            Assert.False(!(Math.Abs(actual - expected) <= 1e-13 * expected), $"[{rows}, {columns}]: {actual:r}, expected {expected:r}");
        }
    }

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void OfManyTensorsIsTheSumOfTheirs(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        int[] counts = [1, 1023, 1024, 1025, 3, 70_001, 8];
        float[][] values = [.. counts.Select((count, i) => TestValues.Normal(count, i + 1, i + 1))];
        double expected = values.Sum(v => v.Sum(x => (double)x * x));
        Tensor[] all = [.. values.Select(v => tensors.Floats(v, 1, v.Length))];
        Assert.Equal(1.0, tensors.Backend.SumOfSquares(all) / expected, 1e-13);

        // Others than the last time, and none.
        Assert.Equal(1.0, tensors.Backend.SumOfSquares(all[3..5]) / (values[3].Sum(x => (double)x * x) + values[4].Sum(x => (double)x * x)), 1e-13);
        Assert.Equal(0.0, tensors.Backend.SumOfSquares([]));
    }
}
