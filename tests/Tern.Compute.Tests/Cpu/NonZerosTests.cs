using Tern.TestKit;
using Xunit;

namespace Tern.Compute.Tests.Cpu;

public sealed class NonZerosTests
{
    [Theory]
    [ClassData(typeof(BackendCases))]
    public void RowsAreCounted(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int rows, int columns, int pitch) in new[] { (0, 3, 3), (1, 1, 1), (3, 7, 9), (5, 2051, 2051) })
        {
            float[] values = Array.ConvertAll(TestValues.Normal(rows * columns, 1), x => x > 0.3f ? x : x < -1f ? -0f : 0f);
            int[] counts = new int[rows];
            tensors.Backend.CountNonZeros(tensors.Floats(values, rows, columns, pitch), counts);
            Assert.Equal(Enumerable.Range(0, rows).Select(b => values.AsSpan(b * columns, columns).ToArray().Count(x => x != 0f)), counts);
        }
    }
}
