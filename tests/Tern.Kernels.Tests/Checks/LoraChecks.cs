using Tern.Compute;
using Tern.TestKit;

namespace Tern.Kernels.Tests.Checks;

/// <summary>LoRA's narrow products with dropout; cross-entropy over blocks of logits.</summary>
internal static class LoraChecks
{
    public static void Lora(EmulatedKernels kernels, DType type)
    {
        foreach ((int rows, int columns, int rank, float rate) in new[] { (3, 7, 2, 0f), (9, 300, 16, 0.3f), (260, 33, 9, 0.1f) })
        {
            const float Scale = 1.5f;
            int[] keys = [.. Enumerable.Range(0, rows).Select(row => Dropout.RowKey(77, row))];
            using HostMatrix rowKeys = HostMatrix.Integers(keys), x = KernelValues.Normal(1, rows, columns, type, columns + 8), a = KernelValues.Normal(2, rank, columns);
            using HostMatrix projected = new(rows, rank, type, rank + 1), dProjected = KernelValues.Normal(3, rows, rank, type, rank + 3), dx = KernelValues.Normal(4, rows, columns, type, columns + 1), da = KernelValues.Normal(5, 1, rank * columns);
            Dropout dropout = new(rate, 5, rowKeys.Tensor);
            uint threshold = dropout.IsActive ? dropout.Threshold : 0;
            double Factor(int row, int column) => !dropout.IsActive ? 1 : dropout.Hash(keys[row], column) >= dropout.Threshold ? dropout.Scale : 0;

            double[] values = x.Doubles(), factors = a.Doubles(), d = dProjected.Doubles(), expected = new double[rows * rank], expectedX = dx.Doubles(), expectedA = da.Doubles();
            for (int t = 0; t < rows; t++)
            {
                for (int k = 0; k < columns; k++)
                {
                    for (int r = 0; r < rank; r++)
                    {
                        expected[(t * rank) + r] += Scale * Factor(t, k) * values[(t * columns) + k] * factors[(r * columns) + k];
                        expectedX[(t * columns) + k] += Factor(t, k) * d[(t * rank) + r] * factors[(r * columns) + k];
                        expectedA[(r * columns) + k] += Factor(t, k) * d[(t * rank) + r] * values[(t * columns) + k];
                    }
                }
            }

            kernels.Launch($"tern_lora_project_forward_{type.Suffix()}", x, columns + 8, a, rowKeys, dropout.Key, threshold, dropout.Scale, Scale, rows, columns, rank, rank + 1, projected);
            projected.ShouldBe($"projected [{rows}, {rank}]", expected, type.Tolerance(columns));
            kernels.Launch($"tern_lora_project_backward_{type.Suffix()}", dProjected, rank + 3, a, rowKeys, dropout.Key, threshold, dropout.Scale, rows, columns, rank, columns + 1, dx);
            dx.ShouldBe("dInput", expectedX, type.Tolerance(rank));
            int bandCount = (rows + 255) / 256;
            using HostMatrix bands = new(bandCount, rank * columns);
            kernels.Launch($"tern_lora_a_backward_bands_{type.Suffix()}", dProjected, rank + 3, x, columns + 8, rowKeys, dropout.Key, threshold, dropout.Scale, rows, columns, rank, bands);
            bands.AssertGapsUntouched();
            kernels.Launch("tern_sum_bands_f32", bands, bandCount, rank * columns, da);
            da.ShouldBe("dA", expectedA, Tolerance.For(DType.Float32, rows));
        }
    }

    public static void CrossEntropy(EmulatedKernels kernels)
    {
        const int Rows = 3, Vocabulary = 700, Block = 300;
        const float Weight = 0.25f;
        using HostMatrix logits = KernelValues.Normal(1, Rows, Vocabulary, pitch: Vocabulary + 1, scale: 4), state = new(3, Rows), best = new(1, Rows, DType.Int32), totals = new(1, Rows), losses = new(1, Rows), gradients = logits.Clone();
        logits[1, 650] = gradients[1, 650] = 30;
        logits[2, 5] = logits[2, 640] = gradients[2, 5] = gradients[2, 640] = 25;
        int[] targets = [299, 300, 699];
        using HostMatrix labels = HostMatrix.Integers(targets);
        double[] x = logits.Doubles(), expectedTotals = new double[Rows], expected = new double[Rows], expectedGradients = new double[x.Length];
        int[] expectedBest = new int[Rows];
        for (int m = 0; m < Rows; m++)
        {
            double[] row = x[(m * Vocabulary)..((m + 1) * Vocabulary)];
            expectedTotals[m] = Compute.Tests.Oracles.LossOracles.LogSumExp(row);
            expected[m] = expectedTotals[m] - row[targets[m]];
            expectedBest[m] = Array.IndexOf(row, row.Max());
            for (int v = 0; v < Vocabulary; v++)
            {
                expectedGradients[(m * Vocabulary) + v] = Weight * (Math.Exp(row[v] - expectedTotals[m]) - (v == targets[m] ? 1 : 0));
            }
        }

        for (int first = 0; first < Vocabulary; first += Block)
        {
            int columns = Math.Min(Block, Vocabulary - first);
            using HostMatrix block = Columns(logits, first, columns);
            kernels.Launch("tern_cross_entropy_forward_f32", block, columns, labels, first, Rows, columns, state, best);
        }

        kernels.Launch("tern_cross_entropy_finish_f32", state, Rows, totals, losses);
        Xunit.Assert.Equal(expectedBest, best.Bits());
        totals.ShouldBe("log Σ exp", expectedTotals, Tolerance.For(DType.Float32, Vocabulary));
        losses.ShouldBe("losses", expected, Tolerance.For(DType.Float32, Vocabulary));
        for (int first = 0; first < Vocabulary; first += Block)
        {
            int columns = Math.Min(Block, Vocabulary - first);
            using HostMatrix block = Columns(logits, first, columns);
            kernels.Launch("tern_cross_entropy_backward_f32", labels, totals, Weight, first, Rows, columns, columns, block);
            block.ShouldBe("dLogits", [.. Enumerable.Range(0, Rows * columns).Select(i => expectedGradients[(i / columns * Vocabulary) + first + (i % columns)])], Tolerance.For(DType.Float32, 64));
        }
    }

    private static HostMatrix Columns(HostMatrix matrix, int first, int count)
    {
        HostMatrix block = new(matrix.Tensor.Rows, count);
        for (int i = 0; i < block.Tensor.ElementCount; i++)
        {
            block[i / count, i % count] = matrix[i / count, first + (i % count)];
        }

        return block;
    }
}
