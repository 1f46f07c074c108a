using Tern.Compute;
using Tern.TestKit;
using Xunit;

namespace Tern.Kernels.Tests.Checks;

/// <summary>The sparse head around its products, exclusive sums, lists of terms.</summary>
internal static class SparseHeadChecks
{
    private const float Scale = 0.3f;

    public static void SegmentMax(EmulatedKernels kernels)
    {
        foreach (DType type in new[] { DType.Float32, DType.BFloat16 })
        {
            int[] starts = TestValues.Starts(3, 0, 1, 40);
            const int Vocabulary = 700, First = 100, Columns = 300;
            int sequences = starts.Length - 1, rows = starts[^1];
            using HostMatrix logits = KernelValues.Normal(1, rows, Columns, type, Columns + 5), bias = KernelValues.Normal(2, 1, Vocabulary), sequenceStarts = HostMatrix.Integers(starts);
            logits[4, 7] = float.NaN;
            logits[10, 8] = logits[20, 8] = 9;
            using HostMatrix maxima = KernelValues.Of(new float[sequences * Vocabulary], sequences, Vocabulary), arg = new(sequences, Vocabulary, DType.Int32);
            float[] expected = maxima.Floats();
            int[] expectedArg = arg.Bits();
            for (int b = 0; b < sequences; b++)
            {
                for (int c = 0; c < Columns; c++)
                {
                    float best = float.NegativeInfinity;
                    int row = -1;
                    for (int i = starts[b]; i < starts[b + 1]; i++)
                    {
                        if (row < 0 || (!float.IsNaN(best) && !(logits[i, c] <= best)))
                        {
                            (best, row) = (logits[i, c], i);
                        }
                    }

                    expected[(b * Vocabulary) + First + c] = row < 0 ? best : (best * Scale) + bias[0, First + c];
                    expectedArg[(b * Vocabulary) + First + c] = row;
                }
            }

            kernels.Launch($"tern_segment_max_{type.Suffix()}", logits, Columns + 5, bias, sequenceStarts, sequences, Scale, First, Columns, Vocabulary, maxima, arg);
            Assert.Equal(expectedArg, arg.Bits());
            Assert.All(maxima.Floats().Zip(expected), pair => Assert.True(pair.First.Equals(pair.Second) || Math.Abs(pair.First - pair.Second) <= 1e-6, $"{pair.First}, expected {pair.Second}"));
            arg.AssertGapsUntouched();
            maxima.AssertGapsUntouched();
        }
    }

    public static void Backward(EmulatedKernels kernels)
    {
        foreach ((int[] lengths, int vocabulary, int columns, double share) in new[] { (new[] { 2, 0, 5 }, 2100, 7, 0.5), ([33], 40, 130, 1.0), ([1, 3], 300, 260, 0.02) })
        {
            int[] starts = TestValues.Starts(lengths);
            int rows = starts[^1], sequences = lengths.Length, chunks = (vocabulary + 2047) / 2048;
            Random random = new(7);
            float[] gradient = TestValues.Normal(sequences * vocabulary, 1);
            int[] args = new int[gradient.Length];
            for (int i = 0; i < gradient.Length; i++)
            {
                int b = i / vocabulary;
                args[i] = lengths[b] == 0 ? -1 : starts[b] + (int)(random.NextDouble() * random.NextDouble() * lengths[b]);
                gradient[i] = lengths[b] > 0 && random.NextDouble() < share ? gradient[i] : 0;
            }

            using HostMatrix d = KernelValues.Of(gradient, sequences, vocabulary), arg = Integers(args, sequences, vocabulary), next = Integers(new int[rows * chunks], rows, chunks);
            kernels.Launch("tern_head_count", d, arg, sequences, vocabulary, chunks, next);
            int entries = Scan(kernels, next);
            Assert.Equal(gradient.Count(g => g != 0), entries);
            using HostMatrix terms = new(1, entries, DType.Int32), gradients = new(1, entries);
            kernels.Launch("tern_head_fill", d, arg, sequences, vocabulary, chunks, next, terms, gradients);
            terms.AssertGapsUntouched();
            for (int row = 0, at = 0; row < rows; at = next.Integer(row++, chunks - 1))
            {
                int[] own = [.. Enumerable.Range(0, gradient.Length).Where(i => gradient[i] != 0 && args[i] == row)];
                Assert.Equal(own.Select(i => i % vocabulary), Enumerable.Range(at, next.Integer(row, chunks - 1) - at).Select(i => terms.Integer(0, i)));
                Assert.Equal(own.Select(i => gradient[i]), Enumerable.Range(at, own.Length).Select(i => gradients[0, i]));
            }

            foreach ((DType stored, DType activation, string suffix) in new[] { (DType.Float32, DType.Float32, "f32"), (DType.BFloat16, DType.Float32, "bf16_f32"), (DType.BFloat16, DType.BFloat16, "bf16") })
            {
                using HostMatrix weight = KernelValues.Normal(2, vocabulary, columns, stored, columns + 4), dHidden = KernelValues.Normal(3, rows, columns, activation, columns + 2);
                double[] expected = dHidden.Doubles(), w = weight.Doubles();
                Each(gradient, args, vocabulary, (v, row, g) => AddScaled(w, v, expected, row, columns, Scale * g));
                kernels.Launch($"tern_head_gather_{suffix}", next, terms, gradients, weight, columns + 4, Scale, rows, chunks, columns, columns + 2, dHidden);
                dHidden.ShouldBe($"dHidden {suffix}", expected, activation.Tolerance(vocabulary));
            }

            foreach (DType type in new[] { DType.Float32, DType.BFloat16 })
            {
                using HostMatrix hidden = KernelValues.Normal(4, rows, columns, type, columns + 1), dWeight = KernelValues.Normal(5, vocabulary, columns, pitch: columns + 1), dBias = KernelValues.Normal(6, 1, vocabulary);
                double[] expected = dWeight.Doubles(), h = hidden.Doubles(), expectedBias = dBias.Doubles();
                Each(gradient, args, vocabulary, (v, row, g) => AddScaled(h, row, expected, v, columns, Scale * g));
                Each(gradient, args, vocabulary, (v, _, g) => expectedBias[v] += g);
                kernels.Launch($"tern_head_weight_gradient_{type.Suffix()}", d, arg, hidden, columns + 1, Scale, sequences, vocabulary, columns, columns + 1, dWeight);
                dWeight.ShouldBe("dWeight", expected, Tolerance.For(DType.Float32, sequences));
                kernels.Launch("tern_head_bias_gradient_f32", d, sequences, vocabulary, dBias);
                dBias.ShouldBe("dBias", expectedBias, Tolerance.For(DType.Float32, sequences));

                const int First = 10;
                int width = vocabulary - 20;
                using HostMatrix oneHot = KernelValues.Of(new float[rows * width], rows, width, type, width + 3);
                double[] expectedHot = new double[rows * width];
                Each(gradient, args, vocabulary, (v, row, g) =>
                {
                    if (v >= First && v < First + width)
                    {
                        expectedHot[(row * width) + v - First] = Scale * g;
                    }
                });
                kernels.Launch($"tern_head_one_hot_{type.Suffix()}", d, arg, sequences, Scale, First, width, vocabulary, width + 3, oneHot);
                oneHot.ShouldBe("one-hot", expectedHot, Tolerance.OfRoundoffs(type, 2));
            }
        }
    }

    public static void Compaction(EmulatedKernels kernels)
    {
        const int Rows = 4, Columns = 700;
        float[] values = [.. TestValues.Normal(Rows * Columns, 1).Select((x, i) => i / Columns == 1 || i % 7 > 1 ? 0 : x)];
        using HostMatrix matrix = KernelValues.Of(values, Rows, Columns, pitch: Columns + 3), offsets = new(1, Rows, DType.Int32);
        kernels.Launch("tern_compaction_count_f32", matrix, Columns + 3, Rows, Columns, offsets);
        int count = Scan(kernels, offsets);
        using HostMatrix terms = new(1, count, DType.Int32), weights = new(1, count);
        kernels.Launch("tern_compaction_fill_f32", matrix, Columns + 3, offsets, Rows, Columns, terms, weights);
        int[] kept = [.. Enumerable.Range(0, values.Length).Where(i => values[i] != 0)];
        Assert.Equal(kept.Select(i => i % Columns), terms.Bits());
        Assert.Equal(kept.Select(i => values[i]), weights.Floats());
        terms.AssertGapsUntouched();
        weights.AssertGapsUntouched();
    }

    public static void ExclusiveSums(EmulatedKernels kernels)
    {
        foreach (int count in new[] { 1, 4096, 4097, 9000 })
        {
            int[] values = TestValues.Integers(count, 9, 3);
            using HostMatrix matrix = HostMatrix.Integers(values);
            Assert.Equal(values.Sum(), Scan(kernels, matrix));
            int sum = 0;
            Assert.Equal(values.Select(x => (sum += x) - x), matrix.Bits());
            matrix.AssertGapsUntouched();
        }
    }

    /// <summary>Exclusive sums in place; returns the total.</summary>
    private static int Scan(EmulatedKernels kernels, HostMatrix values)
    {
        int count = values.Tensor.Rows * values.Tensor.Columns, blocks = (count + 4095) / 4096;
        using HostMatrix sums = new(1, blocks + 1, DType.Int32);
        kernels.Launch("tern_scan_sums", values, count, sums);
        kernels.Launch("tern_scan_of_sums", blocks, sums);
        kernels.Launch("tern_scan_blocks", sums, count, values);
        sums.AssertGapsUntouched();
        return sums.Integer(0, blocks);
    }

    internal static HostMatrix Integers(int[] values, int rows, int columns)
    {
        HostMatrix matrix = new(rows, columns, DType.Int32);
        for (int i = 0; i < values.Length; i++)
        {
            matrix.SetInteger(i / columns, i % columns, values[i]);
        }

        return matrix;
    }

    private static void Each(float[] gradient, int[] args, int vocabulary, Action<int, int, float> action)
    {
        for (int i = 0; i < gradient.Length; i++)
        {
            if (gradient[i] != 0)
            {
                action(i % vocabulary, args[i], gradient[i]);
            }
        }
    }

    private static void AddScaled(double[] source, int from, double[] destination, int to, int columns, double factor)
    {
        for (int c = 0; c < columns; c++)
        {
            destination[(to * columns) + c] += factor * source[(from * columns) + c];
        }
    }
}
