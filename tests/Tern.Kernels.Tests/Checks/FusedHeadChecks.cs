using Tern.Compute;
using Tern.TestKit;
using Xunit;

namespace Tern.Kernels.Tests.Checks;

/// <summary>The sparse head's fused forward: tensor memory accelerator, memory barriers and warpgroup products.</summary>
internal static class FusedHeadChecks
{
    public static void Check(EmulatedKernels kernels)
    {
        Check(kernels, 64, vocabulary: 200, columns: 256, withBias: true, [3, 0, 64, 130]);
        Check(kernels, 96, vocabulary: 128, columns: 128, withBias: false, [97, 1]);
        Check(kernels, 128, vocabulary: 70, columns: 64, withBias: true, [129, 128]);
    }

    private static void Check(EmulatedKernels kernels, int tileRows, int vocabulary, int columns, bool withBias, int[] lengths)
    {
        const float Scale = 0.25f;
        int[] starts = TestValues.Starts(lengths);
        int rows = starts[^1], sequences = lengths.Length;
        using HostMatrix weight = KernelValues.Normal(1, vocabulary, columns, DType.BFloat16, columns + 8), hidden = KernelValues.Normal(2, rows, columns, DType.BFloat16, columns + 16);
        using HostMatrix bias = KernelValues.Normal(3, 1, vocabulary), sequenceStarts = HostMatrix.Integers(starts), maxima = new(sequences, vocabulary), arg = new(sequences, vocabulary, DType.Int32);
        for (int c = 0; c < columns; c++)
        {
            hidden[starts[^1] - 1, c] = hidden[starts[^2], c]; // equal rows: the first must win
        }

        int poisoned = lengths.Length > 2 ? starts[2] + 5 : -1; // a NaN stays in its own sequence
        if (poisoned >= 0)
        {
            hidden[poisoned, 7] = float.NaN;
        }

        using TensorMap weightMap = kernels.Map(weight, 128), hiddenMap = kernels.Map(hidden, tileRows);
        kernels.Launch($"tern_head_fused_forward_{tileRows}_bf16", weightMap, hiddenMap, withBias ? bias : null, sequenceStarts, sequences, Scale, columns, vocabulary, maxima, arg);
        double limit = 1e-6 * columns;
        for (int b = 0; b < sequences; b++)
        {
            for (int v = 0; v < vocabulary; v++)
            {
                double best = double.NegativeInfinity, atArg = double.NaN;
                int first = -1;
                for (int i = starts[b]; i < starts[b + 1]; i++)
                {
                    double logit = 0;
                    for (int c = 0; c < columns; c++)
                    {
                        logit += (double)hidden[i, c] * weight[v, c];
                    }

                    if (first < 0 || (!double.IsNaN(best) && !(logit <= best)))
                    {
                        (best, first) = (logit, i);
                    }

                    atArg = i == arg.Integer(b, v) ? logit : atArg;
                }

                string where = $"[{b}, {v}]: {maxima[b, v]} at {arg.Integer(b, v)}, expected {(best * Scale) + (withBias ? bias[0, v] : 0)} at {first}";
                if (first < 0)
                {
                    Assert.True(float.IsNegativeInfinity(maxima[b, v]) && arg.Integer(b, v) == -1, where);
                }
                else if (double.IsNaN(best))
                {
                    Assert.True(float.IsNaN(maxima[b, v]) && arg.Integer(b, v) == first, where);
                }
                else
                {
                    Assert.True(Math.Abs(maxima[b, v] - (best * Scale) - (withBias ? bias[0, v] : 0)) <= limit && Math.Abs(atArg - best) <= limit, where);
                    Assert.False(first == starts[^2] && arg.Integer(b, v) == starts[^1] - 1 && first < arg.Integer(b, v), where);
                }
            }
        }

        maxima.AssertGapsUntouched();
        arg.AssertGapsUntouched();
    }
}
