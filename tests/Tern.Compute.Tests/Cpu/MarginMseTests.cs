using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed class MarginMseTests(ITestOutputHelper output)
{
    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ForwardAgreesWithOracle(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int rows, int columns) in new[] { (0, 4), (3, 2), (5, 7), (17, 33) })
        {
            float[] student = TestValues.Normal(rows * columns, 1), teacher = TestValues.Normal(rows * columns, 2, 3);
            Tensor losses = tensors.Unset(1, rows);
            tensors.Backend.MarginMseForward(tensors.Floats(student, rows, columns), tensors.Floats(teacher, rows, columns, columns + 1), 2, losses);
            double[] expected = LossOracles.MarginMse(student.ToDouble(), teacher.ToDouble(), 2, columns);
            output.WriteLine(Tolerance.For(DType.Float32, columns).Check($"[{rows}, {columns}]", tensors.Read(losses), expected));
        }
    }

    [GradientCheck(nameof(IBackend.MarginMseBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        foreach ((int rows, int columns) in new[] { (1, 2), (3, 7), (5, 8), (4, 61) })
        {
            const float InverseTemperature = 2, Weight = 0.3f;
            double[] student = TestValues.Normal(rows * columns, 1).ToDouble(), teacher = TestValues.Normal(rows * columns, 2, 2).ToDouble(), before = TestValues.Normal(rows * columns, 3).ToDouble();
            Tensor dStudent = tensors.Floats(before, rows, columns);
            tensors.Backend.MarginMseBackward(tensors.Floats(student, rows, columns), tensors.Floats(teacher, rows, columns), InverseTemperature, Weight, dStudent);
            double[] gradient = CentralDifferences.Gradient(() => LossOracles.MarginMse(student, teacher, InverseTemperature, columns), student, Enumerable.Repeat(1.0, rows).ToArray());
            report(Tolerance.For(DType.Float32, columns).Check($"dstudent [{rows}, {columns}]", tensors.Read(dStudent), before.Plus(gradient, Weight), columns));
        }
    }

    [Fact]
    public void RefusesARowWithoutNegatives()
    {
        using TestTensors tensors = TestTensors.On("cpu", 1);
        ArgumentException error = Assert.Throws<ArgumentException>(() => tensors.Backend.MarginMseForward(tensors.Unset(1, 1), tensors.Unset(1, 1), 1, tensors.Unset(1, 1)));
        Assert.Contains("at least 2 candidates", error.Message, StringComparison.Ordinal);
    }
}
