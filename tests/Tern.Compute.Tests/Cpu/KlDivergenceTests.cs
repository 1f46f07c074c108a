using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed class KlDivergenceTests(ITestOutputHelper output)
{
    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ForwardAgreesWithOracle(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int rows, int columns) in new[] { (0, 4), (3, 2), (5, 7), (3, 8), (17, 33), (4, 2049) })
        {
            float[] student = TestValues.Normal(rows * columns, 1), teacher = TestValues.Normal(rows * columns, 2, 3);
            Tensor losses = tensors.Unset(1, rows);
            tensors.Backend.KlDivergenceForward(tensors.Floats(student, rows, columns, columns + 1), tensors.Floats(teacher, rows, columns), 2, losses);
            double[] expected = LossOracles.KlDivergence(student.ToDouble(), teacher.ToDouble(), 2, columns);
            output.WriteLine(Tolerance.For(DType.Float32, columns).Times(4).Check($"[{rows}, {columns}]", tensors.Read(losses), expected));
        }
    }

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ACandidateThatTheTeacherExcludesAddsNothing(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        Tensor losses = tensors.Unset(1, 1);
        tensors.Backend.KlDivergenceForward(tensors.Floats([1, 1, 1], 1, 3), tensors.Floats([0, 0, float.NegativeInfinity], 1, 3), 1, losses);
        Assert.Equal(MathF.Log(1.5f), tensors.Read(losses)[0], 1e-6f);
    }

    [GradientCheck(nameof(IBackend.KlDivergenceBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        foreach ((int rows, int columns) in new[] { (1, 2), (3, 7), (5, 8), (4, 61) })
        {
            const float InverseTemperature = 2, Weight = 0.3f;
            double[] student = TestValues.Normal(rows * columns, 1).ToDouble(), teacher = TestValues.Normal(rows * columns, 2, 2).ToDouble(), before = TestValues.Normal(rows * columns, 3).ToDouble();
            Tensor dStudent = tensors.Floats(before, rows, columns);
            tensors.Backend.KlDivergenceBackward(tensors.Floats(student, rows, columns), tensors.Floats(teacher, rows, columns), InverseTemperature, Weight, dStudent);
            double[] gradient = CentralDifferences.Gradient(() => LossOracles.KlDivergence(student, teacher, InverseTemperature, columns), student, Enumerable.Repeat(1.0, rows).ToArray());
            report(Tolerance.For(DType.Float32, columns).Times(2).Check($"dstudent [{rows}, {columns}]", tensors.Read(dStudent), before.Plus(gradient, Weight), columns));
        }
    }
}
