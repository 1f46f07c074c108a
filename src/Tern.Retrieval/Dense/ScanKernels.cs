using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Tern.Retrieval;

/// <summary>Scores of rows of the narrow copies; a row is whole 64 bytes. Whole-number sums are the same on every width.</summary>
internal static unsafe class ScanKernels
{
    /// <summary>Rows [count, rowLength] of bytes with a query of 16-bit numbers; count sums.</summary>
    public static void Int8Rows(sbyte* rows, int count, short* query, int rowLength, int* sums)
    {
        if (Avx512BW.IsSupported)
        {
            Int8Rows512(rows, count, query, rowLength, sums);
        }
        else if (Avx2.IsSupported)
        {
            Int8Rows256(rows, count, query, rowLength, sums);
        }
        else
        {
            Int8RowsScalar(rows, count, query, rowLength, sums);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Int8Rows512(sbyte* rows, int count, short* query, int rowLength, int* sums)
    {
        sbyte* x = rows;
        for (int r = 0; r < count; r++, x += rowLength)
        {
            Vector512<int> a = default, b = default;
            for (int i = 0; i < rowLength; i += 64)
            {
                a += Avx512BW.MultiplyAddAdjacent(Avx512BW.ConvertToVector512Int16(Vector256.Load(x + i)), Vector512.Load(query + i));
                b += Avx512BW.MultiplyAddAdjacent(Avx512BW.ConvertToVector512Int16(Vector256.Load(x + i + 32)), Vector512.Load(query + i + 32));
            }

            sums[r] = Vector512.Sum(a + b);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Int8Rows256(sbyte* rows, int count, short* query, int rowLength, int* sums)
    {
        sbyte* x = rows;
        for (int r = 0; r < count; r++, x += rowLength)
        {
            Vector256<int> a = default, b = default;
            for (int i = 0; i < rowLength; i += 32)
            {
                a += Avx2.MultiplyAddAdjacent(Avx2.ConvertToVector256Int16(Vector128.Load(x + i)), Vector256.Load(query + i));
                b += Avx2.MultiplyAddAdjacent(Avx2.ConvertToVector256Int16(Vector128.Load(x + i + 16)), Vector256.Load(query + i + 16));
            }

            sums[r] = Vector256.Sum(a + b);
        }
    }

    public static void Int8RowsScalar(sbyte* rows, int count, short* query, int rowLength, int* sums)
    {
        sbyte* x = rows;
        for (int r = 0; r < count; r++, x += rowLength)
        {
            int sum = 0;
            for (int i = 0; i < rowLength; i++)
            {
                sum += x[i] * query[i];
            }

            sums[r] = sum;
        }
    }

    /// <summary>Rows of BFloat16 with a query that <see cref="ScanQuery"/> laid out; count scores.</summary>
    public static void BFloat16Rows(ushort* rows, int count, float* query, int rowLength, float* scores)
    {
        int done = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            for (; done <= count - 4; done += 4)
            {
                BFloat16FourRows(rows + ((nint)done * rowLength), query, rowLength, scores + done);
            }
        }

        for (; done < count; done++)
        {
            scores[done] = Vector512.IsHardwareAccelerated ? BFloat16Row512(rows + ((nint)done * rowLength), query, rowLength) : BFloat16Row256(rows + ((nint)done * rowLength), query, rowLength);
        }
    }

    // Even elements are the low halves of 32-bit words, odd ones the high halves; either is a float32 when the other half is zero.
    // Four rows at once read the query a quarter as often: one at a time, its loads were what a row waited for.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BFloat16FourRows(ushort* rows, float* query, int rowLength, float* scores)
    {
        Vector512<uint> high = Vector512.Create(0xFFFF_0000u);
        Vector512<float> a0 = default, b0 = default, c0 = default, d0 = default;
        Vector512<float> a1 = default, b1 = default, c1 = default, d1 = default;
        Vector512<float> a2 = default, b2 = default, c2 = default, d2 = default;
        Vector512<float> a3 = default, b3 = default, c3 = default, d3 = default;
        ushort* x0 = rows, x1 = rows + rowLength, x2 = x1 + rowLength, x3 = x2 + rowLength;
        int i = 0;
        for (; i <= rowLength - 64; i += 64)
        {
            Vector512<float> even = Vector512.Load(query + i), odd = Vector512.Load(query + i + 16);
            Vector512<uint> one0 = Vector512.Load((uint*)(x0 + i));
            Vector512<uint> one1 = Vector512.Load((uint*)(x1 + i));
            Vector512<uint> one2 = Vector512.Load((uint*)(x2 + i));
            Vector512<uint> one3 = Vector512.Load((uint*)(x3 + i));
            a0 = Vector512.FusedMultiplyAdd((one0 << 16).AsSingle(), even, a0);
            b0 = Vector512.FusedMultiplyAdd((one0 & high).AsSingle(), odd, b0);
            a1 = Vector512.FusedMultiplyAdd((one1 << 16).AsSingle(), even, a1);
            b1 = Vector512.FusedMultiplyAdd((one1 & high).AsSingle(), odd, b1);
            a2 = Vector512.FusedMultiplyAdd((one2 << 16).AsSingle(), even, a2);
            b2 = Vector512.FusedMultiplyAdd((one2 & high).AsSingle(), odd, b2);
            a3 = Vector512.FusedMultiplyAdd((one3 << 16).AsSingle(), even, a3);
            b3 = Vector512.FusedMultiplyAdd((one3 & high).AsSingle(), odd, b3);
            even = Vector512.Load(query + i + 32);
            odd = Vector512.Load(query + i + 48);
            one0 = Vector512.Load((uint*)(x0 + i + 32));
            one1 = Vector512.Load((uint*)(x1 + i + 32));
            one2 = Vector512.Load((uint*)(x2 + i + 32));
            one3 = Vector512.Load((uint*)(x3 + i + 32));
            c0 = Vector512.FusedMultiplyAdd((one0 << 16).AsSingle(), even, c0);
            d0 = Vector512.FusedMultiplyAdd((one0 & high).AsSingle(), odd, d0);
            c1 = Vector512.FusedMultiplyAdd((one1 << 16).AsSingle(), even, c1);
            d1 = Vector512.FusedMultiplyAdd((one1 & high).AsSingle(), odd, d1);
            c2 = Vector512.FusedMultiplyAdd((one2 << 16).AsSingle(), even, c2);
            d2 = Vector512.FusedMultiplyAdd((one2 & high).AsSingle(), odd, d2);
            c3 = Vector512.FusedMultiplyAdd((one3 << 16).AsSingle(), even, c3);
            d3 = Vector512.FusedMultiplyAdd((one3 & high).AsSingle(), odd, d3);
        }

        if (i < rowLength)
        {
            Vector512<float> even = Vector512.Load(query + i), odd = Vector512.Load(query + i + 16);
            Vector512<uint> one0 = Vector512.Load((uint*)(x0 + i));
            a0 = Vector512.FusedMultiplyAdd((one0 << 16).AsSingle(), even, a0);
            b0 = Vector512.FusedMultiplyAdd((one0 & high).AsSingle(), odd, b0);
            Vector512<uint> one1 = Vector512.Load((uint*)(x1 + i));
            a1 = Vector512.FusedMultiplyAdd((one1 << 16).AsSingle(), even, a1);
            b1 = Vector512.FusedMultiplyAdd((one1 & high).AsSingle(), odd, b1);
            Vector512<uint> one2 = Vector512.Load((uint*)(x2 + i));
            a2 = Vector512.FusedMultiplyAdd((one2 << 16).AsSingle(), even, a2);
            b2 = Vector512.FusedMultiplyAdd((one2 & high).AsSingle(), odd, b2);
            Vector512<uint> one3 = Vector512.Load((uint*)(x3 + i));
            a3 = Vector512.FusedMultiplyAdd((one3 << 16).AsSingle(), even, a3);
            b3 = Vector512.FusedMultiplyAdd((one3 & high).AsSingle(), odd, b3);
        }

        scores[0] = Vector512.Sum(a0 + b0 + (c0 + d0));
        scores[1] = Vector512.Sum(a1 + b1 + (c1 + d1));
        scores[2] = Vector512.Sum(a2 + b2 + (c2 + d2));
        scores[3] = Vector512.Sum(a3 + b3 + (c3 + d3));
    }

    private static float BFloat16Row512(ushort* row, float* query, int rowLength)
    {
        Vector512<uint> high = Vector512.Create(0xFFFF_0000u);
        Vector512<float> a = default, b = default, c = default, d = default;
        int i = 0;
        for (; i <= rowLength - 64; i += 64)
        {
            Vector512<uint> one = Vector512.Load((uint*)(row + i)), two = Vector512.Load((uint*)(row + i + 32));
            a = Vector512.FusedMultiplyAdd((one << 16).AsSingle(), Vector512.Load(query + i), a);
            b = Vector512.FusedMultiplyAdd((one & high).AsSingle(), Vector512.Load(query + i + 16), b);
            c = Vector512.FusedMultiplyAdd((two << 16).AsSingle(), Vector512.Load(query + i + 32), c);
            d = Vector512.FusedMultiplyAdd((two & high).AsSingle(), Vector512.Load(query + i + 48), d);
        }

        if (i < rowLength)
        {
            Vector512<uint> one = Vector512.Load((uint*)(row + i));
            a = Vector512.FusedMultiplyAdd((one << 16).AsSingle(), Vector512.Load(query + i), a);
            b = Vector512.FusedMultiplyAdd((one & high).AsSingle(), Vector512.Load(query + i + 16), b);
        }

        return Vector512.Sum(a + b + (c + d));
    }

    private static float BFloat16Row256(ushort* row, float* query, int rowLength)
    {
        Vector256<uint> high = Vector256.Create(0xFFFF_0000u);
        Vector256<float> a = default, b = default, c = default, d = default;
        for (int i = 0; i < rowLength; i += 32)
        {
            Vector256<uint> one = Vector256.Load((uint*)(row + i)), two = Vector256.Load((uint*)(row + i + 16));
            a = Vector256.FusedMultiplyAdd((one << 16).AsSingle(), Vector256.Load(query + i), a);
            b = Vector256.FusedMultiplyAdd((two << 16).AsSingle(), Vector256.Load(query + i + 8), b);
            c = Vector256.FusedMultiplyAdd((one & high).AsSingle(), Vector256.Load(query + i + 16), c);
            d = Vector256.FusedMultiplyAdd((two & high).AsSingle(), Vector256.Load(query + i + 24), d);
        }

        return Vector256.Sum(a + b + (c + d));
    }
}
