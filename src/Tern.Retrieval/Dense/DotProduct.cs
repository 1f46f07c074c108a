using System.Runtime.Intrinsics;

namespace Tern.Retrieval;

/// <summary>
/// Inner products of one row with one or four queries. Both add in the same order (eight lanes of four accumulators,
/// then the tail), so a batch gives the bits that single queries give.
/// </summary>
internal static unsafe class DotProduct
{
    private const int Step = 32;

    public static float One(float* row, float* query, int length)
    {
        Vector256<float> a = default, b = default, c = default, d = default;
        int i = 0;
        for (; i <= length - Step; i += Step)
        {
            a += Vector256.Load(row + i) * Vector256.Load(query + i);
            b += Vector256.Load(row + i + 8) * Vector256.Load(query + i + 8);
            c += Vector256.Load(row + i + 16) * Vector256.Load(query + i + 16);
            d += Vector256.Load(row + i + 24) * Vector256.Load(query + i + 24);
        }

        return Vector256.Sum(a + b + (c + d)) + Tail(row, query, i, length);
    }

    /// <summary>Queries follow each other at <paramref name="length"/> elements; the row is read once for all four.</summary>
    public static void Four(float* row, float* queries, int length, float* destination)
    {
        float* q0 = queries, q1 = queries + length, q2 = queries + (2 * (nint)length), q3 = queries + (3 * (nint)length);
        Vector256<float> a0 = default, b0 = default, c0 = default, d0 = default;
        Vector256<float> a1 = default, b1 = default, c1 = default, d1 = default;
        Vector256<float> a2 = default, b2 = default, c2 = default, d2 = default;
        Vector256<float> a3 = default, b3 = default, c3 = default, d3 = default;
        int i = 0;
        for (; i <= length - Step; i += Step)
        {
            Vector256<float> r = Vector256.Load(row + i);
            a0 += r * Vector256.Load(q0 + i);
            a1 += r * Vector256.Load(q1 + i);
            a2 += r * Vector256.Load(q2 + i);
            a3 += r * Vector256.Load(q3 + i);
            r = Vector256.Load(row + i + 8);
            b0 += r * Vector256.Load(q0 + i + 8);
            b1 += r * Vector256.Load(q1 + i + 8);
            b2 += r * Vector256.Load(q2 + i + 8);
            b3 += r * Vector256.Load(q3 + i + 8);
            r = Vector256.Load(row + i + 16);
            c0 += r * Vector256.Load(q0 + i + 16);
            c1 += r * Vector256.Load(q1 + i + 16);
            c2 += r * Vector256.Load(q2 + i + 16);
            c3 += r * Vector256.Load(q3 + i + 16);
            r = Vector256.Load(row + i + 24);
            d0 += r * Vector256.Load(q0 + i + 24);
            d1 += r * Vector256.Load(q1 + i + 24);
            d2 += r * Vector256.Load(q2 + i + 24);
            d3 += r * Vector256.Load(q3 + i + 24);
        }

        destination[0] = Vector256.Sum(a0 + b0 + (c0 + d0)) + Tail(row, q0, i, length);
        destination[1] = Vector256.Sum(a1 + b1 + (c1 + d1)) + Tail(row, q1, i, length);
        destination[2] = Vector256.Sum(a2 + b2 + (c2 + d2)) + Tail(row, q2, i, length);
        destination[3] = Vector256.Sum(a3 + b3 + (c3 + d3)) + Tail(row, q3, i, length);
    }

    private static float Tail(float* row, float* query, int i, int length)
    {
        float sum = 0f;
        for (; i < length; i++)
        {
            sum += row[i] * query[i];
        }

        return sum;
    }
}
