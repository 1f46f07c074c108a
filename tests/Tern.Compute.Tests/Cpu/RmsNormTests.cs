using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed class RmsNormTests(ITestOutputHelper output)
{
    private const float Epsilon = 1e-5f;

    private static readonly (int Rows, int Columns)[] Shapes = [(0, 16), (1, 1), (3, 7), (5, 8), (2, 31), (700, 33), (37, 128), (3, 2051)];

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ForwardAgreesWithOracle(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int rows, int columns) in Shapes)
        {
            float[] x = TestValues.Normal(rows * columns, 1, 3), weight = TestValues.Normal(columns, 2);
            double[] inverse = new double[rows];
            double[] expected = TransformerOracles.RmsNorm(x.ToDouble(), weight.ToDouble(), Epsilon, rows, columns, inverse);
            Tensor inverseRms = tensors.Unset(1, rows), destination = tensors.Unset(rows, columns, columns + 3);
            tensors.Backend.RmsNormForward(tensors.Floats(x, rows, columns, columns + 5), tensors.Floats(weight, 1, columns), Epsilon, inverseRms, destination);
            Tolerance tolerance = Tolerance.For(DType.Float32, columns);
            output.WriteLine(tolerance.Check($"y [{rows}, {columns}]", tensors.Read(destination), expected, columns));
            output.WriteLine(tolerance.Check("inverse rms", tensors.Read(inverseRms), inverse));
        }
    }

    [GradientCheck(nameof(IBackend.RmsNormBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        foreach ((int rows, int columns) in new[] { (0, 16), (1, 1), (3, 7), (5, 8), (2, 31), (37, 40), (600, 3) })
        {
            double[] x = TestValues.Normal(rows * columns, 1).ToDouble(), weight = TestValues.Normal(columns, 2).ToDouble(), dy = TestValues.Normal(rows * columns, 3).ToDouble();
            double[] dxBefore = TestValues.Normal(rows * columns, 4).ToDouble(), dWeightBefore = TestValues.Normal(columns, 5).ToDouble();
            double[] Forward() => TransformerOracles.RmsNorm(x, weight, Epsilon, rows, columns);
            double[] inverse = new double[rows];
            TransformerOracles.RmsNorm(x, weight, Epsilon, rows, columns, inverse);

            Tensor dOutput = tensors.Floats(dy, rows, columns), input = tensors.Floats(x, rows, columns), w = tensors.Floats(weight, 1, columns), inverseRms = tensors.Floats(inverse, 1, rows);
            Tensor dx = tensors.Floats(dxBefore, rows, columns), dWeight = tensors.Floats(dWeightBefore, 1, columns);
            tensors.Backend.RmsNormBackward(dOutput, input, w, inverseRms, dx, dWeight);
            report(Tolerance.For(DType.Float32, columns).Check($"dx [{rows}, {columns}]", tensors.Read(dx), dxBefore.Plus(CentralDifferences.Gradient(Forward, x, dy)), columns));
            report(Tolerance.For(DType.Float32, rows + 1).Check("dw", tensors.Read(dWeight), dWeightBefore.Plus(CentralDifferences.Gradient(Forward, weight, dy))));

            Tensor frozen = tensors.Floats(dxBefore, rows, columns);
            tensors.Backend.RmsNormBackward(dOutput, input, w, inverseRms, frozen, default);
            Assert.Equal(tensors.Read(dx), tensors.Read(frozen));
        }
    }
}
