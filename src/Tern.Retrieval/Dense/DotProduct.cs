using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tern.Retrieval;

/// <summary>
/// Inner products of rows with queries, several rows at a time so that their sums run side by side. Every product is
/// added in one order (eight lanes, then the tail), so a pair's bits do not depend on what it is computed with.
/// </summary>
internal static unsafe class DotProduct
{
    /// <summary>Rows that the wide kernels take.</summary>
    public const int Rows = 4;

    /// <summary>One row, one query.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float One(float* row, float* query, int length)
    {
        Vector256<float> sum = default;
        int i = 0;
        for (; i <= length - 8; i += 8)
        {
            sum += Vector256.Load(row + i) * Vector256.Load(query + i);
        }

        return Finish(sum, row, query, i, length);
    }

    /// <summary>Four rows that follow each other, one query; four scores.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FourRows(float* rows, float* query, int length, float* destination)
    {
        float* r0 = rows, r1 = r0 + length, r2 = r1 + length, r3 = r2 + length;
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
        int i = 0;
        for (; i <= length - 8; i += 8)
        {
            Vector256<float> q = Vector256.Load(query + i);
            s0 += Vector256.Load(r0 + i) * q;
            s1 += Vector256.Load(r1 + i) * q;
            s2 += Vector256.Load(r2 + i) * q;
            s3 += Vector256.Load(r3 + i) * q;
        }

        destination[0] = Finish(s0, r0, query, i, length);
        destination[1] = Finish(s1, r1, query, i, length);
        destination[2] = Finish(s2, r2, query, i, length);
        destination[3] = Finish(s3, r3, query, i, length);
    }

    /// <summary>Four rows and two queries that follow each other; the first query's four scores, then the second's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FourRowsTwoQueries(float* rows, float* queries, int length, float* destination)
    {
        float* r0 = rows, r1 = r0 + length, r2 = r1 + length, r3 = r2 + length;
        float* q0 = queries, q1 = queries + length;
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
        Vector256<float> t0 = default, t1 = default, t2 = default, t3 = default;
        int i = 0;
        for (; i <= length - 8; i += 8)
        {
            Vector256<float> q = Vector256.Load(q0 + i), p = Vector256.Load(q1 + i);
            Vector256<float> row = Vector256.Load(r0 + i);
            s0 += row * q;
            t0 += row * p;
            row = Vector256.Load(r1 + i);
            s1 += row * q;
            t1 += row * p;
            row = Vector256.Load(r2 + i);
            s2 += row * q;
            t2 += row * p;
            row = Vector256.Load(r3 + i);
            s3 += row * q;
            t3 += row * p;
        }

        destination[0] = Finish(s0, r0, q0, i, length);
        destination[1] = Finish(s1, r1, q0, i, length);
        destination[2] = Finish(s2, r2, q0, i, length);
        destination[3] = Finish(s3, r3, q0, i, length);
        destination[4] = Finish(t0, r0, q1, i, length);
        destination[5] = Finish(t1, r1, q1, i, length);
        destination[6] = Finish(t2, r2, q1, i, length);
        destination[7] = Finish(t3, r3, q1, i, length);
    }

    private static float Finish(Vector256<float> lanes, float* row, float* query, int i, int length)
    {
        float sum = Vector256.Sum(lanes);
        for (; i < length; i++)
        {
            sum += row[i] * query[i];
        }

        return sum;
    }
}
