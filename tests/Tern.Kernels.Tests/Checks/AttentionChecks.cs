using Tern.Compute;
using Tern.Compute.Tests.Oracles;
using Tern.TestKit;

namespace Tern.Kernels.Tests.Checks;

internal static class AttentionChecks
{
    /// <summary>Tensor cores: bf16 operands, head sizes 64 and 128. The factors that are rounded between the products set the tolerance.</summary>
    public static void TensorCores(EmulatedKernels kernels)
    {
        Check(kernels, DType.BFloat16, 64, heads: 2, keyHeads: 1, causal: false, [70, 0, 1, 129]);
        Check(kernels, DType.BFloat16, 64, heads: 2, keyHeads: 2, causal: true, [64, 3, 100]);
        Check(kernels, DType.BFloat16, 128, heads: 2, keyHeads: 1, causal: true, [1, 66]);
        Check(kernels, DType.BFloat16, 128, heads: 1, keyHeads: 1, causal: false, [40, 65]);
    }

    public static void Float32(EmulatedKernels kernels)
    {
        Check(kernels, DType.Float32, 3, heads: 4, keyHeads: 2, causal: false, [1, 0, 35]);
        Check(kernels, DType.Float32, 1, heads: 1, keyHeads: 1, causal: true, [17, 33]);
        Check(kernels, DType.Float32, 64, heads: 2, keyHeads: 1, causal: true, [37]);
        Check(kernels, DType.Float32, 256, heads: 1, keyHeads: 1, causal: false, [5]);
    }

    private static void Check(EmulatedKernels kernels, DType type, int size, int heads, int keyHeads, bool causal, int[] lengths)
    {
        int[] starts = TestValues.Starts(lengths);
        int rows = starts[^1], columns = heads * size, keyColumns = keyHeads * size, pitch = columns + 8, keyPitch = keyColumns + 16;
        float scale = 1 / MathF.Sqrt(size);
        string name = type == DType.BFloat16 ? $"{size}_bf16" : "f32";
        object[] headSize = type == DType.BFloat16 ? [] : [size];
        using HostMatrix q = KernelValues.Normal(1, rows, columns, type, pitch, scale: 1.5), k = KernelValues.Normal(2, rows, keyColumns, type, keyPitch), v = KernelValues.Normal(3, rows, keyColumns, type, keyPitch);
        using HostMatrix dOutput = KernelValues.Normal(4, rows, columns, type, pitch), output = new(rows, columns, type, pitch), logSumExp = new(rows, heads), delta = new(rows, heads), sequenceStarts = HostMatrix.Integers(starts);
        using HostMatrix dq = new(rows, columns, type, pitch), dk = new(rows, keyColumns, type, keyPitch), dv = new(rows, keyColumns, type, keyPitch);

        double[] totals = new double[rows * heads];
        double[] expected = TransformerOracles.Attention(q.Doubles(), k.Doubles(), v.Doubles(), starts, heads, keyHeads, size, scale, causal, totals);
        kernels.Launch($"tern_attention_forward_{name}", [q, pitch, k, keyPitch, v, keyPitch, sequenceStarts, lengths.Length, rows, heads, keyHeads, .. headSize, scale, causal, pitch, logSumExp, output]);
        Tolerance tolerance = type == DType.BFloat16 ? new Tolerance(2.0 / 256) : Tolerance.For(type, size + rows).Times(4);
        string what = $"attention {name} [{string.Join(' ', lengths)}]{(causal ? " causal" : "")}";
        logSumExp.ShouldBe($"{what} log Σ exp", totals, Tolerance.For(DType.Float32, size).Times(4));
        output.ShouldBe(what, expected, tolerance);

        (double[] dQuery, double[] dKey, double[] dValue) = Backward(dOutput.Doubles(), q.Doubles(), k.Doubles(), v.Doubles(), output.Doubles(), totals, starts, heads, keyHeads, size, scale, causal);
        kernels.Launch($"tern_attention_delta_{type.Suffix()}", dOutput, pitch, output, pitch, rows, heads, size, delta);
        kernels.Launch($"tern_attention_backward_query_{name}", [dOutput, pitch, q, pitch, k, keyPitch, v, keyPitch, logSumExp, delta, sequenceStarts, lengths.Length, rows, heads, keyHeads, .. headSize, scale, causal, pitch, dq]);
        kernels.Launch($"tern_attention_backward_key_{name}", [dOutput, pitch, q, pitch, k, keyPitch, v, keyPitch, logSumExp, delta, sequenceStarts, lengths.Length, rows, heads, keyHeads, .. headSize, scale, causal, keyPitch, keyPitch, dk, dv]);
        dq.ShouldBe($"{what} dQuery", dQuery, tolerance.Times(2));
        dk.ShouldBe($"{what} dKey", dKey, tolerance.Times(2));
        dv.ShouldBe($"{what} dValue", dValue, tolerance.Times(2));
    }

    /// <summary>With p the probabilities: dV = pᵀ dO, ds = p ⊙ (dO Vᵀ − Σ dO ⊙ O), dQ = scale · ds K, dK = scale · dsᵀ Q.</summary>
    private static (double[] Query, double[] Key, double[] Value) Backward(double[] d, double[] q, double[] k, double[] v, double[] output, double[] totals, int[] starts, int heads, int keyHeads, int size, double scale, bool causal)
    {
        double[] dq = new double[q.Length], dk = new double[k.Length], dv = new double[v.Length];
        for (int b = 0; b + 1 < starts.Length; b++)
        {
            for (int head = 0; head < heads; head++)
            {
                for (int i = starts[b]; i < starts[b + 1]; i++)
                {
                    Span<double> di = d.AsSpan(((i * heads) + head) * size, size), qi = q.AsSpan(((i * heads) + head) * size, size), oi = output.AsSpan(((i * heads) + head) * size, size);
                    for (int j = starts[b]; j < (causal ? i + 1 : starts[b + 1]); j++)
                    {
                        int at = ((j * keyHeads) + (head / (heads / keyHeads))) * size;
                        double p = Math.Exp((scale * Dot(qi, k.AsSpan(at, size))) - totals[(i * heads) + head]);
                        double ds = p * (Dot(di, v.AsSpan(at, size)) - Dot(di, oi)) * scale;
                        for (int c = 0; c < size; c++)
                        {
                            dq[(((i * heads) + head) * size) + c] += ds * k[at + c];
                            dk[at + c] += ds * qi[c];
                            dv[at + c] += p * di[c];
                        }
                    }
                }
            }
        }

        return (dq, dk, dv);
    }

    private static double Dot(ReadOnlySpan<double> left, ReadOnlySpan<double> right)
    {
        double sum = 0;
        for (int i = 0; i < left.Length; i++)
        {
            sum += left[i] * right[i];
        }

        return sum;
    }
}
