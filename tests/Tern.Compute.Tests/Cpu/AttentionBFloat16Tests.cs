using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

/// <summary>Attention whose products are in bfloat16, where this machine has them.</summary>
public sealed class AttentionBFloat16Tests(ITestOutputHelper output)
{
    // As in AttentionTests, and lengths around this precision's tiles (14 rows, 32 columns) and blocks (98 and 28 rows).
    private static readonly (int[] Lengths, int Heads, int KeyValueHeads, int HeadSize)[] Shapes =
    [
        ([0], 1, 1, 8),
        ([1], 2, 1, 16),
        ([3, 0, 1, 7], 2, 2, 4),
        ([5, 17, 0, 16, 1], 4, 2, 32),
        ([33, 14, 15], 6, 2, 20),
        ([13, 50], 3, 1, 64),
        ([97, 98, 99], 2, 1, 128),
        ([300, 31], 2, 1, 23),
        ([900], 1, 1, 33),
    ];

    private static readonly float Unit = (float)Tolerance.UnitRoundoff(DType.BFloat16);

    private static bool IsAvailable => ProductPrecisions.WhyNot(ProductPrecision.BFloat16) is null;

    [Fact]
    public void ForwardAgreesWithTheOracleOfRoundedOperands()
    {
        foreach ((int[] lengths, int heads, int keyValueHeads, int headSize) in IsAvailable ? Shapes : [])
        {
            foreach (bool causal in new[] { false, true })
            {
                Operands x = new(lengths, heads, keyValueHeads, headSize);
                float scale = 1 / MathF.Sqrt(headSize);
                double[] scaled = TestValues.RoundToBFloat16([.. x.Query.Select(q => q * scale)]).ToDouble(), logSumExp = new double[x.Tokens * heads];
                double[] expected = TransformerOracles.Attention(scaled, TestValues.RoundToBFloat16(x.Key).ToDouble(), TestValues.RoundToBFloat16(x.Value).ToDouble(), x.Starts, heads, keyValueHeads, headSize, 1, causal, logSumExp);
                float[][] actual = Run(ProductPrecision.BFloat16, 2, x, scale, causal);

                // Scores and sums are as exact as Float32's; a probability is rounded once before it meets its value.
                output.WriteLine(Tolerance.For(DType.Float32, headSize + lengths.Max()).Times(1 + 4).Check($"log-sum-exp {x} causal {causal}", actual[0], logSumExp, heads));
                output.WriteLine(new Tolerance(2 * Unit).Check($"y {x} causal {causal}", actual[1], expected, heads * headSize));
            }
        }
    }

    [Fact]
    public void GradientsFollowThoseOfFloat32()
    {
        foreach ((int[] lengths, int heads, int keyValueHeads, int headSize) in IsAvailable ? Shapes : [])
        {
            foreach (bool causal in new[] { false, true })
            {
                Operands x = new(lengths, heads, keyValueHeads, headSize);
                float[][] expected = Run(ProductPrecision.Float32, 1, x, 0.125f, causal), actual = Run(ProductPrecision.BFloat16, 1, x, 0.125f, causal);
                double whole = Math.Sqrt(expected.Skip(2).SelectMany(values => values).Sum(value => (double)value * value) / 3);
                for (int i = 2; i < expected.Length; i++)
                {
                    // Three roundings of a unit at most on the way to each term, and independent ones: the norm of the
                    // difference stays well below their sum. A lone token's gradients of query and key are zero.
                    double error = Math.Sqrt(expected[i].Zip(actual[i], (e, a) => ((double)e - a) * ((double)e - a)).Sum());
                    double norm = Math.Sqrt(expected[i].Sum(value => (double)value * value));
                    output.WriteLine($"{x} causal {causal} {i}: {error / Math.Max(norm, 1e-30):e2}");
                    Assert.True(error <= 3 * Unit * Math.Max(norm, 0.5 * whole), $"{x} causal {causal}, gradient {i}: error {error}, norm {norm}");
                    Assert.All(expected[i].Zip(actual[i]), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= (0.1 * Math.Abs(pair.First)) + (0.1 * whole), $"{x} causal {causal}, gradient {i}: {pair}"));
                }
            }
        }
    }

    [Fact]
    public void ASequenceHasTheSameBitsAloneInABatchAndOnAnyThreads()
    {
        int[] lengths = [7, 1, 0, 40, 130, 64, 5];
        foreach (bool causal in IsAvailable ? new[] { false, true } : [])
        {
            Operands batch = new(lengths, 4, 2, 18);
            float[][] expected = Run(ProductPrecision.BFloat16, 1, batch, 0.3f, causal);
            Assert.Equal(expected, Run(ProductPrecision.BFloat16, 3, batch, 0.3f, causal));
            for (int b = 0; b < lengths.Length; b++)
            {
                float[][] alone = Run(ProductPrecision.BFloat16, 2, batch.Sequence(b), 0.3f, causal);
                for (int i = 0; i < alone.Length; i++)
                {
                    int width = expected[i].Length / batch.Tokens;
                    Assert.Equal(expected[i][(batch.Starts[b] * width)..(batch.Starts[b + 1] * width)], alone[i]);
                }
            }
        }
    }

    /// <summary>Log-sum-exp, output and the gradients of query, key and value.</summary>
    private static float[][] Run(ProductPrecision precision, int threads, Operands x, float scale, bool causal)
    {
        using TestTensors tensors = new(Backends.Create("cpu", threads, precision));
        int columns = x.Heads * x.HeadSize, keyColumns = x.KeyValueHeads * x.HeadSize;
        Tensor query = tensors.Floats(x.Query, x.Tokens, columns, columns + 3), key = tensors.Floats(x.Key, x.Tokens, keyColumns), value = tensors.Floats(x.Value, x.Tokens, keyColumns, keyColumns + 5);
        Tensor starts = tensors.Ints(x.Starts, 1, x.Starts.Length), dOutput = tensors.Floats(x.DOutput, x.Tokens, columns, columns + 1);
        Tensor logSumExp = tensors.Unset(x.Tokens, x.Heads), result = tensors.Unset(x.Tokens, columns, columns + 1);
        Tensor dQuery = tensors.Unset(x.Tokens, columns, columns + 2), dKey = tensors.Unset(x.Tokens, keyColumns, keyColumns + 1), dValue = tensors.Unset(x.Tokens, keyColumns);
        tensors.Backend.AttentionForward(query, key, value, starts, x.Heads, x.KeyValueHeads, scale, causal, logSumExp, result);
        tensors.Backend.AttentionBackward(dOutput, query, key, value, result, logSumExp, starts, x.Heads, x.KeyValueHeads, scale, causal, dQuery, dKey, dValue);
        return [.. new[] { logSumExp, result, dQuery, dKey, dValue }.Select(tensors.Read)];
    }

    private sealed record Operands(int[] Starts, int Heads, int KeyValueHeads, int HeadSize, float[] Query, float[] Key, float[] Value, float[] DOutput)
    {
        public Operands(int[] lengths, int heads, int keyValueHeads, int headSize)
            : this(
                TestValues.Starts(lengths),
                heads,
                keyValueHeads,
                headSize,
                TestValues.Normal(lengths.Sum() * heads * headSize, 1, 2),
                TestValues.Normal(lengths.Sum() * keyValueHeads * headSize, 2, 2),
                TestValues.Normal(lengths.Sum() * keyValueHeads * headSize, 3),
                TestValues.Normal(lengths.Sum() * heads * headSize, 4))
        {
        }

        public int Tokens => Starts[^1];

        public Operands Sequence(int b)
        {
            Range rows = (Starts[b] * Heads * HeadSize)..(Starts[b + 1] * Heads * HeadSize), keyRows = (Starts[b] * KeyValueHeads * HeadSize)..(Starts[b + 1] * KeyValueHeads * HeadSize);
            return new([0, Starts[b + 1] - Starts[b]], Heads, KeyValueHeads, HeadSize, Query[rows], Key[keyRows], Value[keyRows], DOutput[rows]);
        }

        public override string ToString() => $"[{string.Join(' ', Starts)}] {Heads}/{KeyValueHeads} x {HeadSize}";
    }
}
