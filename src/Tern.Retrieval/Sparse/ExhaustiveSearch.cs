using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tern.Retrieval;

/// <summary>
/// Window by window, adds every posting of every query term into accumulators that stay in the cache, then sweeps them
/// for scores that can still enter. Its cost does not depend on the distribution of the scores.
/// </summary>
internal sealed unsafe class ExhaustiveSearch : SearchAlgorithm
{
    public ExhaustiveSearch()
        : base("exhaustive")
    {
    }

    internal override void Search(Postings postings, SearchContext context)
    {
        for (int window = NextWindow(postings, context.Cursors); window != int.MaxValue; window = NextWindow(postings, context.Cursors))
        {
            foreach (ref TermCursor cursor in context.Cursors)
            {
                if (cursor.Run < cursor.RunEnd && postings.RunWindows[cursor.Run] == window)
                {
                    ulong start = postings.RunStarts[cursor.Run];
                    int count = (int)(postings.RunStarts[++cursor.Run] - start);
                    if (postings.Precision == ImpactPrecision.Byte)
                    {
                        Accumulate(postings.Documents + start, postings.ByteImpacts + start, count, cursor.Weight, (int*)context.Accumulators);
                    }
                    else
                    {
                        Accumulate(postings.Documents + start, postings.FloatImpacts + start, count, cursor.FloatWeight, (float*)context.Accumulators);
                    }
                }
            }

            if (postings.Precision == ImpactPrecision.Byte)
            {
                Collect<int, IntegerScore>(postings, context, window, (int*)context.Accumulators);
            }
            else
            {
                Collect<float, FloatScore>(postings, context, window, (float*)context.Accumulators);
            }
        }
    }

    private static int NextWindow(Postings postings, Span<TermCursor> cursors)
    {
        int next = int.MaxValue;
        foreach (ref TermCursor cursor in cursors)
        {
            if (cursor.Run < cursor.RunEnd)
            {
                next = Math.Min(next, postings.RunWindows[cursor.Run]);
            }
        }

        return next;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate(ushort* documents, byte* impacts, int count, int weight, int* accumulators)
    {
        int i = 0;
        for (; i <= count - 4; i += 4)
        {
            ulong ids = Unsafe.ReadUnaligned<ulong>(documents + i);
            uint values = Unsafe.ReadUnaligned<uint>(impacts + i);
            accumulators[(ushort)ids] += weight * (byte)values;
            accumulators[(ushort)(ids >> 16)] += weight * (byte)(values >> 8);
            accumulators[(ushort)(ids >> 32)] += weight * (byte)(values >> 16);
            accumulators[ids >> 48] += weight * (int)(values >> 24);
        }

        for (; i < count; i++)
        {
            accumulators[documents[i]] += weight * impacts[i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate(ushort* documents, float* impacts, int count, float weight, float* accumulators)
    {
        for (int i = 0; i < count; i++)
        {
            accumulators[documents[i]] += weight * impacts[i];
        }
    }

    /// <summary>Offers what can enter and zeroes the window's accumulators in the same sweep.</summary>
    private static void Collect<T, TScore>(Postings postings, SearchContext context, int window, T* accumulators)
        where T : unmanaged, IBinaryNumber<T>
        where TScore : IScore<T>
    {
        TopKQueue queue = context.Queue;
        float scale = context.ScoreScale;
        int* ranks = postings.Ranks + ((long)window << SegmentFormat.WindowShift);
        int count = Math.Min(SegmentFormat.WindowSize, postings.DocumentCount - (window << SegmentFormat.WindowShift));
        T floor = TScore.Floor(queue, scale);
        for (int i = 0; i < count; i += 2 * Vector256<T>.Count)
        {
            // The last step may pass the count, never the allocation.
            T* at = accumulators + i;
            if (Vector256.GreaterThanOrEqualAny(Vector256.Max(Vector256.LoadAligned(at), Vector256.LoadAligned(at + Vector256<T>.Count)), Vector256.Create(floor)))
            {
                for (int j = 0; j < 2 * Vector256<T>.Count; j++)
                {
                    if (at[j] >= floor && i + j < count)
                    {
                        queue.Push(TScore.Score(at[j], scale), ranks[i + j]);
                    }
                }

                floor = TScore.Floor(queue, scale);
            }

            Vector256<T>.Zero.StoreAligned(at);
            Vector256<T>.Zero.StoreAligned(at + Vector256<T>.Count);
        }
    }

    /// <summary>How an accumulator becomes a score, and the least accumulator that can still enter the queue.</summary>
    private interface IScore<T>
    {
        static abstract float Score(T sum, float scale);

        static abstract T Floor(TopKQueue queue, float scale);
    }

    private readonly struct IntegerScore : IScore<int>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static float Score(int sum, float scale) => sum * scale;

        public static int Floor(TopKQueue queue, float scale)
        {
            if (!queue.HasThreshold)
            {
                return 1;
            }

            // Rounding can give neighbouring sums one score, so step to the least sum that has the threshold's.
            float threshold = queue.ThresholdScore;
            int floor = (int)Math.Clamp((double)threshold / scale, 1, int.MaxValue);
            while (floor > 1 && Score(floor - 1, scale) >= threshold)
            {
                floor--;
            }

            while (floor < int.MaxValue && Score(floor, scale) < threshold)
            {
                floor++;
            }

            return floor;
        }
    }

    private readonly struct FloatScore : IScore<float>
    {
        public static float Score(float sum, float scale) => sum;

        public static float Floor(TopKQueue queue, float scale) => queue.HasThreshold ? queue.ThresholdScore : float.Epsilon;
    }
}
