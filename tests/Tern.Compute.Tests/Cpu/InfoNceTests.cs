using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed class InfoNceTests(ITestOutputHelper output)
{
    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ForwardAgreesWithOracle(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int rows, int columns) in new[] { (0, 4), (1, 1), (3, 7), (5, 8), (17, 33), (6, 2049) })
        {
            foreach (float inverseTemperature in new[] { 1f, 20f })
            {
                float[] scores = TestValues.Normal(rows * columns, 1);
                int[] labels = TestValues.Integers(rows, columns, 2);
                double[] total = new double[rows];
                double[] expected = rows == 0 ? [] : LossOracles.InfoNce(scores.ToDouble(), labels, inverseTemperature, total);
                Tensor logSumExp = tensors.Unset(1, rows), losses = tensors.Unset(1, rows);
                tensors.Backend.InfoNceForward(tensors.Floats(scores, rows, columns, columns + 3), tensors.Ints(labels, 1, rows), inverseTemperature, logSumExp, losses);

                // The loss is a difference of numbers of the size of the scaled scores, so one column (loss 0) has their error.
                Tolerance tolerance = Tolerance.For(DType.Float32, columns).Times(1 + inverseTemperature);
                output.WriteLine(tolerance.Check($"log-sum-exp [{rows}, {columns}] / {inverseTemperature}", tensors.Read(logSumExp), total));
                output.WriteLine(columns > 1 ? tolerance.Check("losses", tensors.Read(losses), expected) : "one column");
                Assert.True(columns > 1 || tensors.Read(losses).All(x => MathF.Abs(x) < 1e-5f));
            }
        }
    }

    [GradientCheck(nameof(IBackend.InfoNceBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        foreach ((int rows, int columns) in new[] { (1, 2), (3, 7), (5, 8), (4, 61) })
        {
            const float InverseTemperature = 5, Weight = 0.3f;
            double[] scores = TestValues.Normal(rows * columns, 1).ToDouble(), before = TestValues.Normal(rows * columns, 3).ToDouble(), total = new double[rows];
            int[] labels = TestValues.Integers(rows, columns, 2);
            LossOracles.InfoNce(scores, labels, InverseTemperature, total);
            Tensor dScores = tensors.Floats(before, rows, columns);
            tensors.Backend.InfoNceBackward(tensors.Floats(scores, rows, columns), tensors.Ints(labels, 1, rows), tensors.Floats(total, 1, rows), InverseTemperature, Weight, dScores);
            double[] gradient = CentralDifferences.Gradient(() => LossOracles.InfoNce(scores, labels, InverseTemperature), scores, Enumerable.Repeat(1.0, rows).ToArray());
            report(Tolerance.For(DType.Float32, columns).Times(2).Check($"dscores [{rows}, {columns}]", tensors.Read(dScores), before.Plus(gradient, Weight), columns));
        }
    }

    [Fact]
    public void RefusesALabelOutsideTheRow()
    {
        using TestTensors tensors = TestTensors.On("cpu", 1);
        ArgumentException error = Assert.Throws<ArgumentException>(() => tensors.Backend.InfoNceForward(tensors.Unset(1, 2), tensors.Ints([2], 1, 1), 1, tensors.Unset(1, 1), tensors.Unset(1, 1)));
        Assert.Contains("labels[0, 0] is 2", error.Message, StringComparison.Ordinal);
    }
}
