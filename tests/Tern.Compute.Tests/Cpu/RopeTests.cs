using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed class RopeTests(ITestOutputHelper output)
{
    private static readonly int[] Starts = TestValues.Starts(1, 0, 5, 33, 2, 0);

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ForwardAgreesWithOracleAndBackwardUndoesIt(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int heads, int headSize) in new[] { (1, 2), (3, 6), (2, 16), (4, 32), (1, 50), (2, 128) })
        {
            int columns = heads * headSize;
            float[] values = TestValues.Normal(Starts[^1] * columns, 1);
            double[] rotations = TransformerOracles.Rotations(40, headSize).ToFloat().ToDouble();
            Tensor turned = tensors.Floats(values, Starts[^1], columns, columns + 3), starts = tensors.Ints(Starts, 1, Starts.Length), table = tensors.Floats(rotations, 40, headSize);
            tensors.Backend.RopeForward(starts, table, headSize, turned);
            double[] expected = TransformerOracles.Rope(values.ToDouble(), Starts, rotations, headSize, columns);
            output.WriteLine(Tolerance.For(DType.Float32, 2).Check($"{heads} x {headSize}", tensors.Read(turned), expected, columns));
            tensors.Backend.RopeBackward(starts, table, headSize, turned);
            output.WriteLine(Tolerance.For(DType.Float32, 4).Check("undone", tensors.Read(turned), values.ToDouble(), columns));
        }
    }

    [GradientCheck(nameof(IBackend.RopeBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        const int HeadSize = 6, Columns = 12;
        double[] values = TestValues.Normal(Starts[^1] * Columns, 1).ToDouble(), dy = TestValues.Normal(Starts[^1] * Columns, 2).ToDouble();
        double[] rotations = TransformerOracles.Rotations(33, HeadSize).ToFloat().ToDouble();
        Tensor dValues = tensors.Floats(dy, Starts[^1], Columns);
        tensors.Backend.RopeBackward(tensors.Ints(Starts, 1, Starts.Length), tensors.Floats(rotations, 33, HeadSize), HeadSize, dValues);
        double[] expected = CentralDifferences.Gradient(() => TransformerOracles.Rope(values, Starts, rotations, HeadSize, Columns), values, dy);
        report(Tolerance.For(DType.Float32, 2).Check("dv", tensors.Read(dValues), expected, Columns));
    }

    [Fact]
    public void RefusesATableThatIsTooShort()
    {
        using TestTensors tensors = TestTensors.On("cpu", 1);
        ArgumentException error = Assert.Throws<ArgumentException>(() => tensors.Backend.RopeForward(tensors.Ints([0, 3], 1, 2), tensors.Unset(2, 4), 4, tensors.Unset(3, 8)));
        Assert.Contains("rotations: expected 3 positions for sequence 0", error.Message, StringComparison.Ordinal);
    }
}
