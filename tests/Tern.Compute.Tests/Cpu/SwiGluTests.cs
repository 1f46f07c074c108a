using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed class SwiGluTests(ITestOutputHelper output)
{
    private static readonly (int Rows, int Columns)[] Shapes = [(0, 3), (1, 1), (3, 7), (5, 16), (2, 31), (61, 1201)];

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ForwardAgreesWithOracle(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int rows, int columns) in Shapes)
        {
            float[] gate = TestValues.Normal(rows * columns, 1, 6), up = TestValues.Normal(rows * columns, 2);
            foreach (int gap in new[] { 0, 3 })
            {
                Tensor destination = tensors.Unset(rows, columns, columns + gap);
                tensors.Backend.SwiGluForward(tensors.Floats(gate, rows, columns, columns + (2 * gap)), tensors.Floats(up, rows, columns), destination);
                double[] expected = TransformerOracles.SwiGlu(gate.ToDouble(), up.ToDouble());
                output.WriteLine(Tolerance.OfRoundoffs(DType.Float32, 12).Check($"[{rows}, {columns}]", tensors.Read(destination), expected, columns));
            }
        }
    }

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ExtremeGatesSaturate(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        Tensor gate = tensors.Floats([-1000, -100, 0, 100, 1000], 1, 5), up = tensors.Floats([1, 1, 1, 1, 1], 1, 5), y = tensors.Unset(1, 5);
        tensors.Backend.SwiGluForward(gate, up, y);
        Assert.All(tensors.Read(y).Zip([0f, 0f, 0f, 100f, 1000f]), pair => Assert.Equal(pair.Second, pair.First, 1e-30f));
        Tensor dGate = tensors.Unset(1, 5), dUp = tensors.Unset(1, 5);
        tensors.Backend.SwiGluBackward(up, gate, up, dGate, dUp);
        float tolerance = backend == "cpu" ? 1e-30f : 2.4e-7f; // A GPU divides by an approximate reciprocal.
        Assert.All(tensors.Read(dGate).Zip([0f, 0f, 0.5f, 1f, 1f]), pair => Assert.Equal(pair.Second, pair.First, tolerance));
    }

    [GradientCheck(nameof(IBackend.SwiGluBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        foreach ((int rows, int columns) in new[] { (0, 3), (1, 1), (3, 7), (11, 33) })
        {
            double[] gate = TestValues.Normal(rows * columns, 1, 3).ToDouble(), up = TestValues.Normal(rows * columns, 2).ToDouble(), dy = TestValues.Normal(rows * columns, 3).ToDouble();
            double[] Forward() => TransformerOracles.SwiGlu(gate, up);
            double[] expectedGate = CentralDifferences.Gradient(Forward, gate, dy), expectedUp = CentralDifferences.Gradient(Forward, up, dy);
            foreach (bool inPlace in new[] { false, true })
            {
                Tensor g = tensors.Floats(gate, rows, columns), u = tensors.Floats(up, rows, columns);
                Tensor dGate = inPlace ? g : tensors.Unset(rows, columns, columns + 3), dUp = inPlace ? u : tensors.Unset(rows, columns);
                tensors.Backend.SwiGluBackward(tensors.Floats(dy, rows, columns), g, u, dGate, dUp);
                report(Tolerance.For(DType.Float32, 8).Check($"dgate [{rows}, {columns}]", tensors.Read(dGate), expectedGate, columns));
                report(Tolerance.For(DType.Float32, 8).Check($"dup [{rows}, {columns}]", tensors.Read(dUp), expectedUp, columns));
            }
        }
    }
}
