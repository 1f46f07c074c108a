using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tern.Retrieval;

/// <summary>
/// Inner products of rows with one query, in one order of fused multiply-adds: 64 sums side by side, added pairwise, then the
/// tail. So a pair's bits depend neither on its neighbours nor on the width of the machine's vectors. Rows are read in their
/// order and nothing is asked for ahead: prefetches at any distance took 10 to 20 % of the memory's speed.
/// </summary>
internal static unsafe class DotProduct
{
    /// <summary>An upper bound of |computed − exact| / (‖query‖ · ‖row‖).</summary>
    public static double RelativeError(int length)
    {
        // Each of the 64 sums has length / 64 additions; then come at most 3 steps of 16, 6 of the sums and 15 of the tail.
        double steps = (length / 64.0) + 26;
        return steps * UnitRoundoff / (1 - (steps * UnitRoundoff));
    }

    /// <summary>2^-24: half the distance from 1 to the next float32.</summary>
    public const double UnitRoundoff = 1.0 / (1 << 24);

    public static float One(float* row, float* query, int length)
    {
        float score;
        Rows(row, 1, query, length, &score);
        return score;
    }

    /// <summary>Rows [count, length] that follow each other; count scores.</summary>
    public static void Rows(float* rows, int count, float* query, int length, float* scores)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Rows512(rows, count, query, length, scores);
        }
        else
        {
            Rows256(rows, count, query, length, scores);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows512(float* rows, int count, float* query, int length, float* scores)
    {
        float* x = rows;
        for (int r = 0; r < count; r++, x += length)
        {
            Vector512<float> a = default, b = default, c = default, d = default;
            int i = 0;
            for (; i <= length - 64; i += 64)
            {
                a = Vector512.FusedMultiplyAdd(Vector512.Load(x + i), Vector512.Load(query + i), a);
                b = Vector512.FusedMultiplyAdd(Vector512.Load(x + i + 16), Vector512.Load(query + i + 16), b);
                c = Vector512.FusedMultiplyAdd(Vector512.Load(x + i + 32), Vector512.Load(query + i + 32), c);
                d = Vector512.FusedMultiplyAdd(Vector512.Load(x + i + 48), Vector512.Load(query + i + 48), d);
            }

            for (; i <= length - 16; i += 16)
            {
                a = Vector512.FusedMultiplyAdd(Vector512.Load(x + i), Vector512.Load(query + i), a);
            }

            Vector512<float> sum = a + b + (c + d);
            scores[r] = Finish(sum.GetLower() + sum.GetUpper(), x, query, i, length);
        }
    }

    /// <summary>The same sums in vectors of half the width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows256(float* rows, int count, float* query, int length, float* scores)
    {
        float* x = rows;
        for (int r = 0; r < count; r++, x += length)
        {
            Vector256<float> a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default;
            int i = 0;
            for (; i <= length - 64; i += 64)
            {
                a = Vector256.FusedMultiplyAdd(Vector256.Load(x + i), Vector256.Load(query + i), a);
                b = Vector256.FusedMultiplyAdd(Vector256.Load(x + i + 8), Vector256.Load(query + i + 8), b);
                c = Vector256.FusedMultiplyAdd(Vector256.Load(x + i + 16), Vector256.Load(query + i + 16), c);
                d = Vector256.FusedMultiplyAdd(Vector256.Load(x + i + 24), Vector256.Load(query + i + 24), d);
                e = Vector256.FusedMultiplyAdd(Vector256.Load(x + i + 32), Vector256.Load(query + i + 32), e);
                f = Vector256.FusedMultiplyAdd(Vector256.Load(x + i + 40), Vector256.Load(query + i + 40), f);
                g = Vector256.FusedMultiplyAdd(Vector256.Load(x + i + 48), Vector256.Load(query + i + 48), g);
                h = Vector256.FusedMultiplyAdd(Vector256.Load(x + i + 56), Vector256.Load(query + i + 56), h);
            }

            for (; i <= length - 16; i += 16)
            {
                a = Vector256.FusedMultiplyAdd(Vector256.Load(x + i), Vector256.Load(query + i), a);
                b = Vector256.FusedMultiplyAdd(Vector256.Load(x + i + 8), Vector256.Load(query + i + 8), b);
            }

            scores[r] = Finish(a + c + (e + g) + (b + d + (f + h)), x, query, i, length);
        }
    }

    private static float Finish(Vector256<float> lanes, float* row, float* query, int i, int length)
    {
        Vector128<float> four = lanes.GetLower() + lanes.GetUpper();
        float sum = four[0] + four[1] + (four[2] + four[3]);
        for (; i < length; i++)
        {
            sum = MathF.FusedMultiplyAdd(row[i], query[i], sum);
        }

        return sum;
    }
}
