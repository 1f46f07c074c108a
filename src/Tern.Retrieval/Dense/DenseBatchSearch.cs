using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Compute.Cpu;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// Many queries at once: blocks of rows times all queries as one matrix product, whose sums are added in another order
/// than <see cref="DotProduct"/>'s. What that can change is bounded as a narrow copy's error is, and the rows that it leaves are scored again; so
/// the hits and the bits are those of single searches.
/// </summary>
internal static unsafe class DenseBatchSearch
{
    // Elements of the rows of one product: enough work for all threads, and its scores stay in the second cache.
    private const int BlockElements = 1 << 20;

    /// <summary>Queries [group] of one product.</summary>
    public const int GroupSize = 64;

    /// <summary>Leaves the best rows of query i in contexts[i], which were reset to k.</summary>
    /// <param name="norms">[Count], at least the norm of each row.</param>
    public static void Run(DenseVectors vectors, IReadOnlyList<float[]> queries, int first, int k, float* norms, ExternalIds ids, ReadOnlyMemory<ulong> filter, DenseSearchContext[] contexts, CpuBackend backend)
    {
        int count = contexts.Length, dimension = vectors.Dimension;
        int blockSize = Math.Clamp(BlockElements / dimension, 64, 8192);
        using var operands = new Buffers(count, dimension, blockSize);
        var slacks = new float[count];
        double product = dimension * DotProduct.UnitRoundoff / (1 - (dimension * DotProduct.UnitRoundoff));
        for (int i = 0; i < count; i++)
        {
            queries[first + i].CopyTo(new Span<float>(operands.Queries + ((nint)i * dimension), dimension));
            double norm = Math.Sqrt(queries[first + i].Sum(value => (double)value * value));
            slacks[i] = ScanQuantizer.RoundUp(norm * (product + DotProduct.RelativeError(dimension)));
        }

        var options = new ParallelOptions { MaxDegreeOfParallelism = backend.ThreadCount };
        for (int row = 0; row < vectors.Count; row += blockSize)
        {
            int rows = Math.Min(blockSize, vectors.Count - row), start = row;
            var scores = new Tensor((nint)operands.Scores, DType.Float32, count, rows);
            backend.MatMul(new Tensor((nint)operands.Queries, DType.Float32, count, dimension), false, new Tensor((nint)vectors.Row(row), DType.Float32, rows, dimension), true, false, scores);
            Parallel.For(0, count, options, i => Select(operands.Scores + ((nint)i * rows), start, rows, slacks[i], norms, ids.Ranks, filter.Span, contexts[i]));
        }

        Parallel.For(0, count, options, i =>
        {
            contexts[i].Finish(k);
            DenseSearch.Rescore(vectors, operands.Queries + ((nint)i * dimension), ids.Ranks, contexts[i]);
        });
    }

    private static void Select(float* scores, int first, int count, float slackOfNorm, float* norms, ReadOnlySpan<int> ranks, ReadOnlySpan<ulong> filter, DenseSearchContext context)
    {
        for (int i = 0; i < count; i++)
        {
            float score = scores[i];
            float slack = (slackOfNorm * norms[first + i] * (1f + (1f / (1 << 20)))) + (Math.Abs(score) * (1f / (1 << 21))) + 1e-37f;
            if (context.Least.HasThreshold && score + slack < context.Least.ThresholdScore)
            {
                continue;
            }

            if (DenseSearch.IsAdmitted(filter, first + i))
            {
                DenseSearch.Offer(context, first + i, ranks[first + i], score, slack);
            }
        }
    }

    private sealed class Buffers(int queryCount, int dimension, int blockSize) : IDisposable
    {
        /// <summary>[queryCount, dimension].</summary>
        public float* Queries { get; } = (float*)NativeMemory.AlignedAlloc((nuint)queryCount * (nuint)dimension * sizeof(float), 64);

        /// <summary>[queryCount, blockSize].</summary>
        public float* Scores { get; } = (float*)NativeMemory.AlignedAlloc((nuint)queryCount * (nuint)blockSize * sizeof(float), 64);

        public void Dispose()
        {
            NativeMemory.AlignedFree(Queries);
            NativeMemory.AlignedFree(Scores);
        }
    }
}
