using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;

namespace Tern.Compute.Tests.Cpu;

public sealed class GatherColumnsTests
{
    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ForwardPicksColumns(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int rows, int columns, int count) in new[] { (1, 1, 1), (3, 7, 2), (300, 90, 101) })
        {
            float[] source = TestValues.Normal(rows * columns, 1);
            int[] picks = TestValues.Integers(rows * count, columns, 2);
            Tensor destination = tensors.Unset(rows, count, count + 1);
            tensors.Backend.GatherColumnsForward(tensors.Floats(source, rows, columns, columns + 3), tensors.Ints(picks, rows, count, count + 2), destination);
            Assert.Equal(LossOracles.GatherColumns(source.ToDouble(), picks, rows).ToFloat(), tensors.Read(destination));
        }
    }

    [GradientCheck(nameof(IBackend.GatherColumnsBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        foreach ((int rows, int columns, int count) in new[] { (1, 1, 1), (3, 7, 2), (9, 5, 20) })
        {
            double[] source = TestValues.Normal(rows * columns, 1).ToDouble(), dy = TestValues.Normal(rows * count, 3).ToDouble(), before = TestValues.Normal(rows * columns, 4).ToDouble();
            int[] picks = TestValues.Integers(rows * count, columns, 2);
            Tensor dSource = tensors.Floats(before, rows, columns);
            tensors.Backend.GatherColumnsBackward(tensors.Floats(dy, rows, count), tensors.Ints(picks, rows, count), dSource);
            double[] gradient = CentralDifferences.Gradient(() => LossOracles.GatherColumns(source, picks, rows), source, dy);
            report(Tolerance.For(DType.Float32, count).Check($"dsource [{rows}, {columns}]", tensors.Read(dSource), before.Plus(gradient), columns));
        }
    }
}
