using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tern.Retrieval;

/// <summary>
/// One query against all rows. The float32 scan offers every score to the queue; the scan of a narrow copy keeps the rows
/// whose greatest possible score reaches the k-th least possible one, and offers their float32 scores: the same k best.
/// </summary>
internal static unsafe class DenseSearch
{
    /// <summary>Leaves the best rows in the context's queue, which was reset to k. An empty filter admits all.</summary>
    public static void Run(DenseVectors vectors, DenseScan scan, float* query, int k, ReadOnlySpan<int> ranks, ReadOnlySpan<ulong> filter, DenseSearchContext context)
    {
        if (scan == DenseScan.Float32)
        {
            Exact(vectors, query, ranks, filter, context);
            return;
        }

        context.Query.Prepare(new ReadOnlySpan<float>(query, vectors.Dimension), scan);
        Narrow(vectors, ranks, filter, context);
        context.Finish(k);
        Rescore(vectors, query, ranks, context);
    }

    /// <summary>Offers the float32 scores of the candidates.</summary>
    public static void Rescore(DenseVectors vectors, float* query, ReadOnlySpan<int> ranks, DenseSearchContext context)
    {
        foreach (int document in context.Candidates)
        {
            context.Queue.Push(DotProduct.One(vectors.Row(document), query, vectors.Dimension), ranks[document]);
        }
    }

    private static void Exact(DenseVectors vectors, float* query, ReadOnlySpan<int> ranks, ReadOnlySpan<ulong> filter, DenseSearchContext context)
    {
        float* scores = context.Block;
        TopKQueue queue = context.Queue;
        for (int first = 0; first < vectors.Count; first += DenseSearchContext.BlockSize)
        {
            int count = Math.Min(DenseSearchContext.BlockSize, vectors.Count - first);
            DotProduct.Rows(vectors.Row(first), count, query, vectors.Dimension, scores);
            for (int i = 0; i < count; i += Vector256<float>.Count)
            {
                // Scores that are not numbers are offered too: the queue refuses them aloud.
                if (queue.HasThreshold && Vector256.LessThanAll(Vector256.Load(scores + i), Vector256.Create(queue.ThresholdScore)))
                {
                    continue;
                }

                for (int j = i; j < Math.Min(count, i + Vector256<float>.Count); j++)
                {
                    if (IsAdmitted(filter, first + j))
                    {
                        queue.Push(scores[j], ranks[first + j]);
                    }
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Narrow(DenseVectors vectors, ReadOnlySpan<int> ranks, ReadOnlySpan<ulong> filter, DenseSearchContext context)
    {
        float* scores = context.Block;
        ScanQuery query = context.Query;
        for (int first = 0; first < vectors.Count; first += DenseSearchContext.BlockSize)
        {
            int count = Math.Min(DenseSearchContext.BlockSize, vectors.Count - first);
            byte* rows = vectors.Narrow + ((nint)first * vectors.RowByteCount);
            if (vectors.Scan == DenseScan.Int8)
            {
                ScanKernels.Int8Rows((sbyte*)rows, count, (short*)query.Values, vectors.RowByteCount, (int*)scores);
            }
            else
            {
                ScanKernels.BFloat16Rows((ushort*)rows, count, (float*)query.Values, vectors.RowByteCount / 2, scores);
            }

            for (int i = 0; i < count; i += Vector256<float>.Count)
            {
                int row = first + i;
                bool isWhole = i + Vector256<float>.Count <= count;
                if (isWhole && context.Least.HasThreshold)
                {
                    Vector256<float> score = vectors.Scan == DenseScan.Int8
                        ? Vector256.ConvertToSingle(Vector256.Load((int*)(scores + i))) * (Vector256.Load(vectors.Scales + row) * query.Scale)
                        : Vector256.Load(scores + i);
                    Vector256<float> most = score + Slack(score, Vector256.Load(vectors.Errors + row), Vector256.Load(vectors.Norms + row), query);
                    if (Vector256.LessThanAll(most, Vector256.Create(context.Least.ThresholdScore)))
                    {
                        continue;
                    }
                }

                for (int j = i; j < Math.Min(count, i + Vector256<float>.Count); j++)
                {
                    if (IsAdmitted(filter, first + j))
                    {
                        float score = vectors.Scan == DenseScan.Int8 ? ((int*)scores)[j] * (vectors.Scales[first + j] * query.Scale) : scores[j];
                        float slack = Slack(Vector256.Create(score), Vector256.Create(vectors.Errors[first + j]), Vector256.Create(vectors.Norms[first + j]), query)[0];
                        Offer(context, first + j, ranks[first + j], score, slack);
                    }
                }
            }
        }
    }

    /// <summary>Keeps a row if its score, within so much of this one, can be among the best.</summary>
    public static void Offer(DenseSearchContext context, int document, int rank, float score, float slack)
    {
        float most = score + slack, least = score - slack;
        if (context.Least.HasThreshold && most < context.Least.ThresholdScore)
        {
            return;
        }

        // Where something overflowed nothing is known of the score.
        context.Add(document, rank, float.IsNaN(least) ? float.NegativeInfinity : least, float.IsNaN(most) ? float.PositiveInfinity : most);
    }

    public static bool IsAdmitted(ReadOnlySpan<ulong> filter, int document) => filter.IsEmpty || ((filter[document >> 6] >> (document & 63)) & 1) != 0;

    // Wider by some roundings of its own parts and of the sum with the score, and by what underflow can take.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Slack(Vector256<float> score, Vector256<float> error, Vector256<float> norm, ScanQuery query) =>
        (((error * query.Norm) + (norm * query.Distance)) * (1f + (1f / (1 << 20)))) + (Vector256.Abs(score) * (1f / (1 << 21))) + Vector256.Create(1e-37f);
}
