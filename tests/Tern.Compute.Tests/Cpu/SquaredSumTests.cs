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
}
