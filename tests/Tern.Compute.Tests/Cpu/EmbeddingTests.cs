using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed class EmbeddingTests(ITestOutputHelper output)
{
    private static readonly (int Vocabulary, int Tokens, int Columns)[] Shapes = [(3, 0, 4), (1, 5, 1), (7, 20, 9), (50, 333, 33), (4000, 900, 16)];

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ForwardCopiesRowsAndWidens(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int vocabulary, int tokens, int columns) in Shapes)
        {
            float[] table = TestValues.RoundToBFloat16(TestValues.Normal(vocabulary * columns, 1));
            int[] ids = TestValues.Integers(tokens, vocabulary, 2);
            float[] expected = TransformerOracles.Embedding(table.ToDouble(), ids, columns).ToFloat();
            foreach (Tensor stored in new[] { tensors.Floats(table, vocabulary, columns), tensors.BFloat16(table, vocabulary, columns) })
            {
                Tensor destination = tensors.Unset(tokens, columns, columns + 1);
                tensors.Backend.EmbeddingForward(stored, tensors.Ints(ids, 1, tokens), destination);
                Assert.Equal(expected, tensors.Read(destination));
            }
        }

        output.WriteLine("equal");
    }

    [GradientCheck(nameof(IBackend.EmbeddingBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        foreach ((int vocabulary, int tokens, int columns) in new[] { (3, 0, 4), (1, 5, 1), (7, 20, 9), (100, 60, 8) })
        {
            double[] table = TestValues.Normal(vocabulary * columns, 1).ToDouble(), dy = TestValues.Normal(tokens * columns, 3).ToDouble();
            double[] before = TestValues.Normal(vocabulary * columns, 4).ToDouble();
            int[] ids = TestValues.Integers(tokens, vocabulary, 2);
            Tensor dTable = tensors.Floats(before, vocabulary, columns);
            tensors.Backend.EmbeddingBackward(tensors.Floats(dy, tokens, columns), tensors.Ints(ids, 1, tokens), dTable);
            double[] expected = before.Plus(CentralDifferences.Gradient(() => TransformerOracles.Embedding(table, ids, columns), table, dy));
            report(Tolerance.For(DType.Float32, 1 + tokens).Check($"dtable [{vocabulary}, {columns}]", tensors.Read(dTable), expected, columns));
        }
    }

    [Fact]
    public void RefusesATokenOutsideTheTable()
    {
        using TestTensors tensors = TestTensors.On("cpu", 1);
        ArgumentException error = Assert.Throws<ArgumentException>(() => tensors.Backend.EmbeddingForward(tensors.Unset(5, 2), tensors.Ints([0, 5], 1, 2), tensors.Unset(2, 2)));
        Assert.Contains("tokens[0, 1] is 5: expected 0 to 4", error.Message, StringComparison.Ordinal);
    }
}
