using Tern.TestKit;
using Xunit;

namespace Tern.Compute.Tests.Cpu;

public sealed class ElementsTests
{
    private static readonly (int Rows, int Columns, int Pitch)[] Shapes = [(0, 3, 3), (1, 1, 1), (3, 7, 7), (5, 9, 12), (41, 1999, 1999)];

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void FillSetsEveryElement(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int rows, int columns, int pitch) in Shapes)
        {
            Tensor destination = tensors.Unset(rows, columns, pitch);
            tensors.Backend.Fill(2.5f, destination);
            Assert.Equal(Enumerable.Repeat(2.5f, rows * columns), tensors.Read(destination));
        }
    }

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void CopyKeepsElementsAndWidens(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int rows, int columns, int pitch) in Shapes)
        {
            float[] values = TestValues.RoundToBFloat16(TestValues.Normal(rows * columns, 1));
            Tensor copy = tensors.Unset(rows, columns, pitch), widened = tensors.Unset(rows, columns, pitch);
            tensors.Backend.Copy(tensors.Floats(values, rows, columns), copy);
            tensors.Backend.Copy(tensors.BFloat16(values, rows, columns), widened);
            Assert.Equal(values, tensors.Read(copy));
            Assert.Equal(values, tensors.Read(widened));

            int[] integers = TestValues.Integers(rows * columns, 1000, 2);
            Tensor copied = tensors.Ints(new int[rows * columns], rows, columns, pitch);
            tensors.Backend.Copy(tensors.Ints(integers, rows, columns), copied);
            Assert.Equal(integers, tensors.ReadInts(copied));
        }
    }

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void AddScaledAccumulates(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int rows, int columns, int pitch) in Shapes)
        {
            float[] source = TestValues.Normal(rows * columns, 1), before = TestValues.Normal(rows * columns, 2);
            Tensor destination = tensors.Floats(before, rows, columns, pitch);
            tensors.Backend.AddScaled(tensors.Floats(source, rows, columns), -1.5f, destination);
            Tolerance.For(DType.Float32, 2).Check($"[{rows}, {columns}]", tensors.Read(destination), before.ToDouble().Plus(source.ToDouble(), -1.5), columns);
        }
    }
}
