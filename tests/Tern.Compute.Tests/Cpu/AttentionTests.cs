using Tern.Compute.Cpu;
using Tern.Compute.Tests.Oracles;
using Tern.Compute.Threading;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed class AttentionTests(ITestOutputHelper output)
{
    // Sequence lengths, query heads, key/value heads, head size: tails of every kind, empty and one-token sequences.
    private static readonly (int[] Lengths, int Heads, int KeyValueHeads, int HeadSize)[] Shapes =
    [
        ([0], 1, 1, 8),
        ([1], 2, 1, 16),
        ([3, 0, 1, 7], 2, 2, 4),
        ([5, 17, 0, 16, 1], 4, 2, 32),
        ([33, 6], 6, 2, 20),
        ([13, 50], 3, 1, 64),
        ([9, 40], 2, 1, 128),
        ([300, 31], 2, 1, 24),
    ];

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ForwardAgreesWithOracle(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int[] lengths, int heads, int keyValueHeads, int headSize) in Shapes)
        {
            foreach (bool causal in new[] { false, true })
            {
                CheckForward(tensors, lengths, heads, keyValueHeads, headSize, causal);
            }
        }
    }

    [Fact]
    public void ForwardAgreesWithOracleOnALongSequence()
    {
        using TestTensors tensors = TestTensors.On("cpu", 2);
        CheckForward(tensors, [2049], 1, 1, 6, causal: false);
        CheckForward(tensors, [2049], 1, 1, 6, causal: true);
    }

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void LargeScoresDoNotOverflow(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        Tensor query = tensors.Floats([100, -100, 100], 3, 1), key = tensors.Floats([90, 95, -95], 3, 1), value = tensors.Floats([1, 2, 3], 3, 1);
        Tensor logSumExp = tensors.Unset(3, 1), destination = tensors.Unset(3, 1);
        tensors.Backend.AttentionForward(query, key, value, tensors.Ints([0, 3], 1, 2), 1, 1, 1, false, logSumExp, destination);
        float tolerance = backend == "cpu" ? 0 : 4.8e-7f; // A GPU divides by an approximate reciprocal.
        Assert.All(tensors.Read(destination).Zip([2f, 3f, 2f]), pair => Assert.Equal(pair.Second, pair.First, tolerance));
        Assert.Equal([9500f, 9500f, 9500f], tensors.Read(logSumExp));
    }

    [Fact]
    public void EveryVectorWidthGivesTheSameBits()
    {
        const int Heads = 4, KeyValueHeads = 2, HeadSize = 20;
        int[] starts = TestValues.Starts(1, 0, 23, 70);
        int tokens = starts[^1];
        using TestTensors tensors = TestTensors.On("cpu", 1);
        Tensor Rows(int columns, int seed) => tensors.Floats(TestValues.Normal(tokens * columns, seed), tokens, columns);
        float[]? expected = null;
        foreach (SimdPath path in SimdPaths.All)
        {
            AttentionPlan plan = new()
            {
                Query = Rows(Heads * HeadSize, 1),
                Key = Rows(KeyValueHeads * HeadSize, 2),
                Value = Rows(KeyValueHeads * HeadSize, 3),
                SequenceStarts = tensors.Ints(starts, 1, starts.Length),
                HeadSize = HeadSize,
                KeyValueHeadCount = KeyValueHeads,
                GroupSize = Heads / KeyValueHeads,
                Scale = 0.3f,
                LogSumExp = tensors.Unset(tokens, Heads),
                Output = tensors.Unset(tokens, Heads * HeadSize),
                DOutput = Rows(Heads * HeadSize, 4),
                DQuery = tensors.Unset(tokens, Heads * HeadSize),
                DKey = tensors.Unset(tokens, KeyValueHeads * HeadSize),
                DValue = tensors.Unset(tokens, KeyValueHeads * HeadSize),
            };
            ScratchBuffer scratch = new();
            for (int task = 0; task < (starts.Length - 1) * KeyValueHeads; task++)
            {
                path.Kernels.AttentionForward(plan, task, scratch);
                path.Kernels.AttentionBackward(plan, task, scratch);
            }

            float[] actual = [.. new[] { plan.LogSumExp, plan.Output, plan.DQuery, plan.DKey, plan.DValue }.SelectMany(tensors.Read)];
            Assert.All(actual, value => Assert.True(float.IsFinite(value)));
            expected ??= actual;
            Assert.Equal(expected, actual);
        }
    }

    [GradientCheck(nameof(IBackend.AttentionBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        foreach ((int[] lengths, int heads, int keyValueHeads, int headSize) in new[]
        {
            (new[] { 1 }, 2, 1, 4), ([3, 0, 1, 7], 4, 2, 6), ([19, 8], 2, 1, 16), ([35], 1, 1, 8), ([70], 1, 1, 3),
        })
        {
            foreach (bool causal in new[] { false, true })
            {
                CheckGradient(tensors, report, lengths, heads, keyValueHeads, headSize, causal);
            }
        }
    }

    private static void CheckGradient(TestTensors tensors, Action<string> report, int[] lengths, int heads, int keyValueHeads, int headSize, bool causal)
    {
        const float Scale = 0.4f;
        int[] starts = TestValues.Starts(lengths);
        int tokens = starts[^1], columns = heads * headSize, keyColumns = keyValueHeads * headSize;
        double[] q = TestValues.Normal(tokens * columns, 1).ToDouble(), k = TestValues.Normal(tokens * keyColumns, 2).ToDouble();
        double[] v = TestValues.Normal(tokens * keyColumns, 3).ToDouble(), dy = TestValues.Normal(tokens * columns, 4).ToDouble();
        double[] logSumExp = new double[tokens * heads];
        double[] Forward() => TransformerOracles.Attention(q, k, v, starts, heads, keyValueHeads, headSize, Scale, causal);
        double[] y = TransformerOracles.Attention(q, k, v, starts, heads, keyValueHeads, headSize, Scale, causal, logSumExp);

        Tensor dQuery = tensors.Unset(tokens, columns, columns + 1), dKey = tensors.Unset(tokens, keyColumns), dValue = tensors.Unset(tokens, keyColumns, keyColumns + 2);
        tensors.Backend.AttentionBackward(
            tensors.Floats(dy, tokens, columns),
            tensors.Floats(q, tokens, columns),
            tensors.Floats(k, tokens, keyColumns),
            tensors.Floats(v, tokens, keyColumns),
            tensors.Floats(y, tokens, columns),
            tensors.Floats(logSumExp, tokens, heads),
            tensors.Ints(starts, 1, starts.Length),
            heads,
            keyValueHeads,
            Scale,
            causal,
            dQuery,
            dKey,
            dValue);
        string shape = $"[{string.Join(' ', lengths)}] {heads}/{keyValueHeads} x {headSize}{(causal ? " causal" : "")}";
        Tolerance tolerance = Tolerance.For(DType.Float32, headSize + lengths.Max()).Times(2);

        // Together, because the gradient of a lone token's query is zero and has the rounding of the others.
        float[] actual = [.. tensors.Read(dQuery), .. tensors.Read(dKey), .. tensors.Read(dValue)];
        double[] expected = [.. CentralDifferences.Gradient(Forward, q, dy), .. CentralDifferences.Gradient(Forward, k, dy), .. CentralDifferences.Gradient(Forward, v, dy)];
        report(tolerance.Check($"dq, dk, dv {shape}", actual, expected));
    }

    private void CheckForward(TestTensors tensors, int[] lengths, int heads, int keyValueHeads, int headSize, bool causal)
    {
        int[] starts = TestValues.Starts(lengths);
        int tokens = starts[^1], columns = heads * headSize, keyColumns = keyValueHeads * headSize;
        float scale = 1 / MathF.Sqrt(headSize);
        float[] q = TestValues.Normal(tokens * columns, 1, 2), k = TestValues.Normal(tokens * keyColumns, 2, 2), v = TestValues.Normal(tokens * keyColumns, 3);
        double[] expectedLogSumExp = new double[tokens * heads];
        double[] expected = TransformerOracles.Attention(q.ToDouble(), k.ToDouble(), v.ToDouble(), starts, heads, keyValueHeads, headSize, scale, causal, expectedLogSumExp);
        Tensor logSumExp = tensors.Unset(tokens, heads), destination = tensors.Unset(tokens, columns, columns + 1);
        tensors.Backend.AttentionForward(
            tensors.Floats(q, tokens, columns, columns + 3),
            tensors.Floats(k, tokens, keyColumns),
            tensors.Floats(v, tokens, keyColumns, keyColumns + 5),
            tensors.Ints(starts, 1, starts.Length),
            heads,
            keyValueHeads,
            scale,
            causal,
            logSumExp,
            destination);

        // The exponential hands a score's absolute error on as a probability's relative one; scores here have deviation 4.
        Tolerance tolerance = Tolerance.For(DType.Float32, headSize + lengths.Max()).Times(1 + 4);
        string shape = $"[{string.Join(' ', lengths)}] {heads}/{keyValueHeads} x {headSize}{(causal ? " causal" : "")}";
        output.WriteLine(tolerance.Check($"y {shape}", tensors.Read(destination), expected, columns));
        output.WriteLine(tolerance.Check($"log-sum-exp {shape}", tensors.Read(logSumExp), expectedLogSumExp, heads));
    }
}
