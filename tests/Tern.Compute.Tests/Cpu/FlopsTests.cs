using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed class FlopsTests(ITestOutputHelper output)
{
    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ForwardAgreesWithOracle(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int rows, int columns) in new[] { (1, 1), (3, 7), (128, 33), (9, 3001) })
        {
            float[] values = TestValues.Normal(rows * columns, 1);
            double[] means = new double[columns];
            double expected = LossOracles.Flops(values.ToDouble(), rows, columns, means);
            Tensor columnMeans = tensors.Unset(1, columns);
            double flops = tensors.Backend.FlopsForward(tensors.Floats(values, rows, columns, columns + 3), columnMeans);
            output.WriteLine(Tolerance.OfRoundoffs(DType.Float32, 6 + (2 * Math.Sqrt(rows))).Check($"means [{rows}, {columns}]", tensors.Read(columnMeans), means));
            output.WriteLine(Tolerance.For(DType.Float32, rows).Check("total", [(float)flops], [expected]));
        }
    }

    [GradientCheck(nameof(IBackend.FlopsBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        const float Weight = 0.7f;
        foreach ((int rows, int columns) in new[] { (1, 1), (3, 7), (5, 64) })
        {
            double[] values = TestValues.Normal(rows * columns, 1).ToDouble(), before = TestValues.Normal(rows * columns, 2).ToDouble(), means = new double[columns];
            Assert.All(values, value => Assert.True(Math.Abs(value) > 1e-4, "too near the kink for central differences"));
            LossOracles.Flops(values, rows, columns, means);
            Tensor dValues = tensors.Floats(before, rows, columns);
            tensors.Backend.FlopsBackward(tensors.Floats(values, rows, columns), tensors.Floats(means, 1, columns), Weight, dValues);
            double[] gradient = CentralDifferences.Gradient(() => [LossOracles.Flops(values, rows, columns)], values, [1]);
            report(Tolerance.For(DType.Float32, rows).Check($"dvalues [{rows}, {columns}]", tensors.Read(dValues), before.Plus(gradient, Weight), columns));
        }
    }

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void AZeroHasNoGradient(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        Tensor dValues = tensors.Floats(new float[9], 1, 9);
        tensors.Backend.FlopsBackward(tensors.Floats([0, -0f, 1, 0, 0, 0, 0, 0, 0], 1, 9), tensors.Floats([5, 5, 1, 5, 5, 5, 5, 5, 5], 1, 9), 1, dValues);
        Assert.Equal([0, 0, 2, 0, 0, 0, 0, 0, 0], tensors.Read(dValues));
    }
}
