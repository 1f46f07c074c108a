using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed class Log1pReluTests(ITestOutputHelper output)
{
    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ForwardAgreesWithOracleInPlaceAndNot(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int rows, int columns) in new[] { (0, 5), (1, 1), (3, 7), (2, 31), (9, 6007) })
        {
            float[] x = TestValues.Normal(rows * columns, 1, 4);
            foreach (bool inPlace in new[] { false, true })
            {
                Tensor maxima = tensors.Floats(x, rows, columns), destination = inPlace ? maxima : tensors.Unset(rows, columns, columns + 1);
                tensors.Backend.Log1pReluForward(maxima, destination);
                output.WriteLine(Tolerance.OfRoundoffs(DType.Float32, Roundoffs(backend)).Check($"[{rows}, {columns}]", tensors.Read(destination), HeadOracles.Log1pRelu(x.ToDouble()), columns));
            }
        }
    }

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ForwardIsAccurateOverTheWholeRange(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        float[] x = Enumerable.Range(0, 40_000).Select(i => MathF.Pow(2, -60 + (i * 0.004f))).ToArray();
        Tensor destination = tensors.Unset(1, x.Length);
        tensors.Backend.Log1pReluForward(tensors.Floats(x, 1, x.Length), destination);
        output.WriteLine(Tolerance.OfRoundoffs(DType.Float32, Roundoffs(backend)).Check("2^-60 to 2^100", tensors.Read(destination), HeadOracles.Log1pRelu(x.ToDouble())));
    }

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void SpecialValues(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        Tensor destination = tensors.Unset(1, 5);
        tensors.Backend.Log1pReluForward(tensors.Floats([float.NegativeInfinity, float.PositiveInfinity, float.NaN, -0f, 1e-30f], 1, 5), destination);
        Assert.Equal([0, float.PositiveInfinity, float.NaN, 0, 1e-30f], tensors.Read(destination));
    }

    /// <summary>A GPU takes its logarithm from the special function unit, which has 2 to 3 roundoffs of its own.</summary>
    private static int Roundoffs(string backend) => backend == "cpu" ? 4 : 8;

    [GradientCheck(nameof(IBackend.Log1pReluBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        foreach ((int rows, int columns) in new[] { (0, 5), (1, 1), (3, 7), (5, 64) })
        {
            double[] x = TestValues.Normal(rows * columns, 1).ToDouble(), dy = TestValues.Normal(rows * columns, 2).ToDouble();
            Assert.All(x, value => Assert.True(Math.Abs(value) > 1e-4, "too near the kink for central differences"));
            double[] expected = CentralDifferences.Gradient(() => HeadOracles.Log1pRelu(x), x, dy);
            foreach (bool inPlace in new[] { false, true })
            {
                Tensor dOutput = tensors.Floats(dy, rows, columns), dMaxima = inPlace ? dOutput : tensors.Unset(rows, columns, columns + 1);
                tensors.Backend.Log1pReluBackward(dOutput, tensors.Floats(x, rows, columns), dMaxima);
                report(Tolerance.For(DType.Float32, 1).Check($"dx [{rows}, {columns}]", tensors.Read(dMaxima), expected, columns));
            }
        }
    }
}
