using Tern.Compute;
using Tern.Compute.Tests.Oracles;
using Tern.TestKit;

namespace Tern.Kernels.Tests.Checks;

/// <summary>Rotary positions, embedding rows.</summary>
internal static class PositionChecks
{
    public static void Rope(EmulatedKernels kernels, DType type)
    {
        foreach ((int heads, int headSize, int[] lengths) in new[] { (1, 2, new[] { 1 }), (3, 8, [2, 0, 5, 1]), (2, 64, [0, 33]), (9, 64, [3, 2]) })
        {
            int[] starts = TestValues.Starts(lengths);
            int rows = starts[^1], columns = heads * headSize, pitch = columns + (headSize == 64 ? 8 : 3);
            double[] table = TransformerOracles.Rotations(40, headSize).ToFloat().ToDouble();
            using HostMatrix values = KernelValues.Normal(1, rows, columns, type, pitch), rotations = KernelValues.Of(table, 40, headSize), sequenceStarts = HostMatrix.Integers(starts);
            double[] before = values.Doubles();
            kernels.Launch($"tern_rope_forward_{type.Suffix()}", sequenceStarts, rotations, lengths.Length, rows, columns, headSize, pitch, values);
            values.ShouldBe($"turned {heads}×{headSize}", TransformerOracles.Rope(before, starts, table, headSize, columns), type.Tolerance(2));

            double[] turned = values.Doubles(), back = [.. table.Select((angle, i) => i % headSize < headSize / 2 ? angle : -angle)];
            kernels.Launch($"tern_rope_backward_{type.Suffix()}", sequenceStarts, rotations, lengths.Length, rows, columns, headSize, pitch, values);
            values.ShouldBe("turned back", TransformerOracles.Rope(turned, starts, back, headSize, columns), type.Tolerance(2));
        }
    }

    public static void Embedding(EmulatedKernels kernels)
    {
        foreach ((int rows, int columns) in new[] { (1, 1), (9, 7), (3, 264), (600, 8) })
        {
            const int Vocabulary = 11;
            int[] tokens = TestValues.Integers(rows, Vocabulary, 5);
            using HostMatrix ids = HostMatrix.Integers(tokens);
            foreach ((DType stored, DType activation, string suffix) in new[] { (DType.Float32, DType.Float32, "f32"), (DType.BFloat16, DType.Float32, "bf16_f32"), (DType.BFloat16, DType.BFloat16, "bf16") })
            {
                using HostMatrix table = KernelValues.Normal(1, Vocabulary, columns, stored, columns + 8), gathered = new(rows, columns, activation, columns + 16);
                kernels.Launch($"tern_embedding_forward_{suffix}", table, columns + 8, ids, rows, columns, columns + 16, gathered);
                gathered.ShouldBe("rows", TransformerOracles.Embedding(table.Doubles(), tokens, columns), new Tolerance(0));
            }

            foreach (DType type in new[] { DType.Float32, DType.BFloat16 })
            {
                using HostMatrix d = KernelValues.Normal(2, rows, columns, type, columns + 1), dTable = KernelValues.Normal(3, Vocabulary, columns, pitch: columns + 1);
                float[] expected = dTable.Floats(), added = d.Floats();
                for (int i = 0; i < added.Length; i++)
                {
                    expected[(tokens[i / columns] * columns) + (i % columns)] += added[i]; // in order, so the bits are these
                }

                kernels.Launch($"tern_embedding_backward_{type.Suffix()}", d, columns + 1, ids, rows, columns, columns + 1, dTable);
                dTable.ShouldBe("dTable", expected.ToDouble(), new Tolerance(0));
            }
        }
    }
}
