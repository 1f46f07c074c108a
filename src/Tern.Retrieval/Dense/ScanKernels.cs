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
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void BFloat16Rows(ushort* rows, int count, float* query, int rowLength, float* scores)
    {
        ushort* x = rows;
        for (int r = 0; r < count; r++, x += rowLength)
        {
            // Even elements are the low halves of 32-bit words, odd ones the high halves; either is a float32 when the other half is zero.
            if (Vector512.IsHardwareAccelerated)
            {
                Vector512<uint> high = Vector512.Create(0xFFFF_0000u);
                Vector512<float> a = default, b = default, c = default, d = default;
                int i = 0;
                for (; i <= rowLength - 64; i += 64)
                {
                    Vector512<uint> one = Vector512.Load((uint*)(x + i)), two = Vector512.Load((uint*)(x + i + 32));
                    a = Vector512.FusedMultiplyAdd((one << 16).AsSingle(), Vector512.Load(query + i), a);
                    b = Vector512.FusedMultiplyAdd((one & high).AsSingle(), Vector512.Load(query + i + 16), b);
                    c = Vector512.FusedMultiplyAdd((two << 16).AsSingle(), Vector512.Load(query + i + 32), c);
                    d = Vector512.FusedMultiplyAdd((two & high).AsSingle(), Vector512.Load(query + i + 48), d);
                }

                if (i < rowLength)
                {
                    Vector512<uint> one = Vector512.Load((uint*)(x + i));
                    a = Vector512.FusedMultiplyAdd((one << 16).AsSingle(), Vector512.Load(query + i), a);
                    b = Vector512.FusedMultiplyAdd((one & high).AsSingle(), Vector512.Load(query + i + 16), b);
                }

                scores[r] = Vector512.Sum(a + b + (c + d));
            }
            else
            {
                Vector256<uint> high = Vector256.Create(0xFFFF_0000u);
                Vector256<float> a = default, b = default, c = default, d = default;
                for (int i = 0; i < rowLength; i += 32)
                {
                    Vector256<uint> one = Vector256.Load((uint*)(x + i)), two = Vector256.Load((uint*)(x + i + 16));
                    a = Vector256.FusedMultiplyAdd((one << 16).AsSingle(), Vector256.Load(query + i), a);
                    b = Vector256.FusedMultiplyAdd((two << 16).AsSingle(), Vector256.Load(query + i + 8), b);
                    c = Vector256.FusedMultiplyAdd((one & high).AsSingle(), Vector256.Load(query + i + 16), c);
                    d = Vector256.FusedMultiplyAdd((two & high).AsSingle(), Vector256.Load(query + i + 24), d);
                }

                scores[r] = Vector256.Sum(a + b + (c + d));
            }
        }
    }
}
