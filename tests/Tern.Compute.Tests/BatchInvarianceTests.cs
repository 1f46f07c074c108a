using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;

namespace Tern.Compute.Tests;

/// <summary>A sequence alone gives the same bits as the sequence in a batch, wherever it stands there.</summary>
public sealed class BatchInvarianceTests
{
    private const int Heads = 4, KeyValueHeads = 2, HeadSize = 18, Columns = Heads * HeadSize, KeyColumns = KeyValueHeads * HeadSize;

    private static readonly int[] Starts = TestValues.Starts(7, 1, 0, 40, 33, 64, 5);

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void TheTransformersOperationsDoNotMixSequences(string backend, int threads)
    {
        int tokens = Starts[^1];
        float[] x = TestValues.Normal(tokens * Columns, 1), k = TestValues.Normal(tokens * KeyColumns, 2), v = TestValues.Normal(tokens * KeyColumns, 3), dy = TestValues.Normal(tokens * Columns, 4);
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach (bool causal in new[] { false, true })
        {
            float[][] batch = Run(tensors, Starts, x, k, v, dy, causal);
            for (int b = 0; b + 1 < Starts.Length; b++)
            {
                Range rows = (Starts[b] * Columns)..(Starts[b + 1] * Columns), keyRows = (Starts[b] * KeyColumns)..(Starts[b + 1] * KeyColumns);
                float[][] alone = Run(tensors, [0, Starts[b + 1] - Starts[b]], x[rows], k[keyRows], v[keyRows], dy[rows], causal);
                for (int i = 0; i < batch.Length; i++)
                {
                    int width = batch[i].Length / tokens;
                    Assert.Equal(batch[i][(Starts[b] * width)..(Starts[b + 1] * width)], alone[i]);
                }
            }
        }
    }

    /// <summary>Norm, rotation, attention and their gradients, SwiGLU: everything between two matrix products. Results have one row a token.</summary>
    private static float[][] Run(TestTensors tensors, int[] starts, float[] x, float[] k, float[] v, float[] dy, bool causal)
    {
        IBackend backend = tensors.Backend;
        int tokens = starts[^1];
        Tensor sequenceStarts = tensors.Ints(starts, 1, starts.Length), rotations = tensors.Floats(TransformerOracles.Rotations(64, HeadSize), 64, HeadSize);
        Tensor input = tensors.Floats(x, tokens, Columns), weight = tensors.Floats(TestValues.Normal(Columns, 9), 1, Columns), inverse = tensors.Unset(1, tokens), query = tensors.Unset(tokens, Columns);
        Tensor key = tensors.Floats(k, tokens, KeyColumns), value = tensors.Floats(v, tokens, KeyColumns), dOutput = tensors.Floats(dy, tokens, Columns);
        Tensor logSumExp = tensors.Unset(tokens, Heads), output = tensors.Unset(tokens, Columns), gated = tensors.Unset(tokens, Columns);
        Tensor dQuery = tensors.Unset(tokens, Columns), dKey = tensors.Unset(tokens, KeyColumns), dValue = tensors.Unset(tokens, KeyColumns), dInput = tensors.Floats(x, tokens, Columns);
        backend.RmsNormForward(input, weight, 1e-5f, inverse, query);
        backend.RopeForward(sequenceStarts, rotations, HeadSize, query);
        backend.AttentionForward(query, key, value, sequenceStarts, Heads, KeyValueHeads, 0.3f, causal, logSumExp, output);
        backend.SwiGluForward(output, input, gated);
        backend.AttentionBackward(dOutput, query, key, value, output, logSumExp, sequenceStarts, Heads, KeyValueHeads, 0.3f, causal, dQuery, dKey, dValue);
        backend.RopeBackward(sequenceStarts, rotations, HeadSize, dQuery);
        backend.RmsNormBackward(dQuery, input, weight, inverse, dInput, default);
        return [.. new[] { query, logSumExp, output, gated, dQuery, dKey, dValue, dInput }.Select(tensors.Read)];
    }

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void TheHeadsDoNotMixSequences(string backend, int threads)
    {
        int tokens = Starts[^1];
        const int Vocabulary = 133;
        float[] hidden = TestValues.Normal(tokens * Columns, 1);
        using TestTensors tensors = TestTensors.On(backend, threads);
        Tensor weight = tensors.Floats(TestValues.Normal(Vocabulary * Columns, 2), Vocabulary, Columns);
        (float[] Means, float[] Sparse) Run(int[] starts, float[] rows)
        {
            int sequences = starts.Length - 1;
            Tensor input = tensors.Floats(rows, starts[^1], Columns), sequenceStarts = tensors.Ints(starts, 1, starts.Length);
            Tensor means = tensors.Unset(sequences, Columns), maxima = tensors.Unset(sequences, Vocabulary), argMax = tensors.Ints(new int[sequences * Vocabulary], sequences, Vocabulary);
            tensors.Backend.NormalizedMeanForward(input, sequenceStarts, tensors.Unset(1, starts[^1]), means);
            tensors.Backend.MaxPoolProductForward(input, weight, default, sequenceStarts, 0.3f, maxima, argMax);
            tensors.Backend.Log1pReluForward(maxima, maxima);
            return (tensors.Read(means), tensors.Read(maxima));
        }

        (float[] batchMeans, float[] batchSparse) = Run(Starts, hidden);
        for (int b = 0; b + 1 < Starts.Length; b++)
        {
            (float[] means, float[] sparse) = Run([0, Starts[b + 1] - Starts[b]], hidden[(Starts[b] * Columns)..(Starts[b + 1] * Columns)]);
            Assert.Equal(batchMeans[(b * Columns)..((b + 1) * Columns)], means);
            Assert.Equal(batchSparse[(b * Vocabulary)..((b + 1) * Vocabulary)], sparse);
        }
    }
}
