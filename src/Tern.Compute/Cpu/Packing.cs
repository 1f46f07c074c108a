using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Tern.Compute.Cpu;

/// <summary>How an operand's elements are read as floats while it is packed.</summary>
internal unsafe interface IElementReader
{
    static abstract int ByteSize { get; }

    static abstract float Read(byte* source);

    static abstract Vector128<float> Read4(byte* source);

    static abstract Vector256<float> Read8(byte* source);
}

internal readonly unsafe struct Float32Reader : IElementReader
{
    public static int ByteSize => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Read(byte* source) => *(float*)source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Read4(byte* source) => Vector128.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Read8(byte* source) => Vector256.Load((float*)source);
}

internal readonly unsafe struct BFloat16Reader : IElementReader
{
    public static int ByteSize => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Read(byte* source) => BitConverter.UInt32BitsToSingle((uint)*(ushort*)source << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Read4(byte* source) => (Vector128.WidenLower(Vector128.CreateScalar(*(ulong*)source).AsUInt16()) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Read8(byte* source) => (Vector256.WidenLower(Vector256.Create(Vector128.Load((ushort*)source), default)) << 16).AsSingle();
}

/// <summary>
/// Lays an operand out in the order in which the register tile reads it: a panel is <c>width</c> rows or columns of the
/// operand, and holds for each k of the inner dimension those <c>width</c> elements side by side.
/// </summary>
internal static unsafe partial class Packing
{
    /// <summary>
    /// One panel from rows that run along the inner dimension: destination[k · width + r] = source[r · pitch + k] for
    /// <paramref name="count"/> rows; the panel's other rows become zero. The pitch counts bytes.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TransposePanel<TReader>(byte* source, nint pitch, int count, int width, int depth, float* destination)
        where TReader : IElementReader
    {
        if (Avx.IsSupported && width % 8 == 0 && count == width)
        {
            int transposed = depth & ~7;
            TransposeFullPanel<TReader>(source, pitch, width, transposed, destination);
            source += transposed * TReader.ByteSize;
            depth -= transposed;
            destination += (nint)transposed * width;
        }

        int r = 0;
        for (; r + 4 <= count; r += 4)
        {
            byte* row0 = source + (r * pitch);
            byte* row1 = row0 + pitch;
            byte* row2 = row1 + pitch;
            byte* row3 = row2 + pitch;
            float* to = destination + r;
            int k = 0;
            for (; k + 4 <= depth; k += 4)
            {
                Transpose4(
                    TReader.Read4(row0),
                    TReader.Read4(row1),
                    TReader.Read4(row2),
                    TReader.Read4(row3),
                    to,
                    width);
                row0 += 4 * TReader.ByteSize;
                row1 += 4 * TReader.ByteSize;
                row2 += 4 * TReader.ByteSize;
                row3 += 4 * TReader.ByteSize;
                to += 4 * width;
            }

            for (; k < depth; k++)
            {
                Vector128.Create(TReader.Read(row0), TReader.Read(row1), TReader.Read(row2), TReader.Read(row3)).Store(to);
                row0 += TReader.ByteSize;
                row1 += TReader.ByteSize;
                row2 += TReader.ByteSize;
                row3 += TReader.ByteSize;
                to += width;
            }
        }

        if (r + 2 <= count)
        {
            TransposeTwoRows<TReader>(source + (r * pitch), pitch, width, depth, destination + r);
            r += 2;
        }

        for (; r < width; r++)
        {
            byte* row = source + (r * pitch);
            for (int k = 0; k < depth; k++)
            {
                destination[((nint)k * width) + r] = r < count ? TReader.Read(row + (k * TReader.ByteSize)) : 0;
            }
        }
    }

    /// <summary>
    /// Panels from rows that run along the panels: destination[p · width · depth + k · width + c] = source[k · pitch + p · width + c]
    /// for <paramref name="count"/> columns; the last panel's other columns become zero. The pitch counts bytes.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CopyPanels<TReader>(byte* source, nint pitch, int count, int width, int depth, float* destination)
        where TReader : IElementReader
    {
        // Strips of few source rows: their lines stay in the first cache until every panel has taken its part of them.
        const int StripDepth = 8;
        for (int k = 0; k < depth; k += StripDepth)
        {
            int strip = Math.Min(StripDepth, depth - k);
            for (int c = 0; c < count; c += width)
            {
                byte* from = source + (k * pitch) + ((nint)c * TReader.ByteSize);
                float* to = destination + ((nint)c * depth) + ((nint)k * width);
                switch (Math.Min(width, count - c) == width ? width : 0)
                {
                    case 6:
                        CopyStrip<TReader>(from, pitch, 6, strip, to);
                        break;
                    case 8:
                        CopyStrip<TReader>(from, pitch, 8, strip, to);
                        break;
                    case 14:
                        CopyStrip<TReader>(from, pitch, 14, strip, to);
                        break;
                    case 16:
                        CopyStrip<TReader>(from, pitch, 16, strip, to);
                        break;
                    case 32:
                        CopyStrip<TReader>(from, pitch, 16, 32, strip, to);
                        CopyStrip<TReader>(from + (16 * TReader.ByteSize), pitch, 16, 32, strip, to + 16);
                        break;
                    default:
                        CopyPartialStrip<TReader>(from, pitch, Math.Min(width, count - c), width, strip, to);
                        break;
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyStrip<TReader>(byte* from, nint pitch, int width, int strip, float* to)
        where TReader : IElementReader => CopyStrip<TReader>(from, pitch, width, width, strip, to);

    /// <summary>Inlined with a constant of 6, 8, 14 or 16 columns; the last vector of 6 and 14 overlaps the one before it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyStrip<TReader>(byte* from, nint pitch, int columns, int step, int strip, float* to)
        where TReader : IElementReader
    {
        for (; strip > 0; strip--)
        {
            TReader.Read4(from).Store(to);
            if (columns >= 8)
            {
                TReader.Read4(from + (4 * TReader.ByteSize)).Store(to + 4);
            }

            if (columns >= 14)
            {
                TReader.Read4(from + (8 * TReader.ByteSize)).Store(to + 8);
            }

            if (columns is not 8)
            {
                TReader.Read4(from + ((columns - 4) * TReader.ByteSize)).Store(to + columns - 4);
            }

            from += pitch;
            to += step;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyPartialStrip<TReader>(byte* from, nint pitch, int columns, int width, int strip, float* to)
        where TReader : IElementReader
    {
        for (; strip > 0; strip--)
        {
            for (int c = 0; c < width; c++)
            {
                to[c] = c < columns ? TReader.Read(from + (c * TReader.ByteSize)) : 0;
            }

            from += pitch;
            to += width;
        }
    }

    /// <summary>Blocks of 8 × 8, all rows before the next columns, so that the panel is written from its start to its end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeFullPanel<TReader>(byte* source, nint pitch, nint width, int depth, float* destination)
        where TReader : IElementReader
    {
        for (int k = 0; k < depth; k += 8)
        {
            byte* upper = source + (k * TReader.ByteSize);
            for (nint r = 0; r < width; r += 8)
            {
                byte* lower = upper + (4 * pitch);
                Vector256<float> a = TReader.Read8(upper);
                Vector256<float> b = TReader.Read8(upper + pitch);
                Vector256<float> c = TReader.Read8(upper + (2 * pitch));
                Vector256<float> d = TReader.Read8(upper + (3 * pitch));
                Vector256<float> e = TReader.Read8(lower);
                Vector256<float> f = TReader.Read8(lower + pitch);
                Vector256<float> g = TReader.Read8(lower + (2 * pitch));
                Vector256<float> h = TReader.Read8(lower + (3 * pitch));
                float* to = destination + r;
                TransposeHalves(Avx.UnpackLow(a, b), Avx.UnpackLow(c, d), Avx.UnpackLow(e, f), Avx.UnpackLow(g, h), to, width);
                TransposeHalves(Avx.UnpackHigh(a, b), Avx.UnpackHigh(c, d), Avx.UnpackHigh(e, f), Avx.UnpackHigh(g, h), to + (2 * width), width);
                upper = lower + (4 * pitch);
            }

            destination += 8 * width;
        }
    }

    /// <summary>From interleaved pairs of rows to columns k and k + 1 (lower halves) and k + 4 and k + 5 (upper halves).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransposeHalves(Vector256<float> ab, Vector256<float> cd, Vector256<float> ef, Vector256<float> gh, float* to, nint width)
    {
        Vector256<float> abcdEven = Avx.UnpackLow(ab.AsDouble(), cd.AsDouble()).AsSingle();
        Vector256<float> abcdOdd = Avx.UnpackHigh(ab.AsDouble(), cd.AsDouble()).AsSingle();
        Vector256<float> efghEven = Avx.UnpackLow(ef.AsDouble(), gh.AsDouble()).AsSingle();
        Vector256<float> efghOdd = Avx.UnpackHigh(ef.AsDouble(), gh.AsDouble()).AsSingle();
        Avx.Permute2x128(abcdEven, efghEven, 0x20).Store(to);
        Avx.Permute2x128(abcdOdd, efghOdd, 0x20).Store(to + width);
        Avx.Permute2x128(abcdEven, efghEven, 0x31).Store(to + (4 * width));
        Avx.Permute2x128(abcdOdd, efghOdd, 0x31).Store(to + (5 * width));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeTwoRows<TReader>(byte* row0, nint pitch, int width, int depth, float* to)
        where TReader : IElementReader
    {
        byte* row1 = row0 + pitch;
        int k = 0;
        for (; k + 4 <= depth; k += 4)
        {
            Vector128<float> a = TReader.Read4(row0);
            Vector128<float> b = TReader.Read4(row1);
            Vector128<float> low = InterleaveLow(a, b);
            Vector128<float> high = InterleaveHigh(a, b);
            low.GetLower().Store(to);
            low.GetUpper().Store(to + width);
            high.GetLower().Store(to + (2 * width));
            high.GetUpper().Store(to + (3 * width));
            row0 += 4 * TReader.ByteSize;
            row1 += 4 * TReader.ByteSize;
            to += 4 * width;
        }

        for (; k < depth; k++)
        {
            to[0] = TReader.Read(row0);
            to[1] = TReader.Read(row1);
            row0 += TReader.ByteSize;
            row1 += TReader.ByteSize;
            to += width;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d, float* to, nint width)
    {
        Vector128<double> abLow = InterleaveLow(a, b).AsDouble();
        Vector128<double> abHigh = InterleaveHigh(a, b).AsDouble();
        Vector128<double> cdLow = InterleaveLow(c, d).AsDouble();
        Vector128<double> cdHigh = InterleaveHigh(c, d).AsDouble();
        PairLow(abLow, cdLow).Store(to);
        PairHigh(abLow, cdLow).Store(to + width);
        PairLow(abHigh, cdHigh).Store(to + (2 * width));
        PairHigh(abHigh, cdHigh).Store(to + (3 * width));
    }

    /// <summary>(a0, b0, a1, b1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> InterleaveLow(Vector128<float> a, Vector128<float> b)
    {
        if (Sse.IsSupported)
        {
            return Sse.UnpackLow(a, b);
        }

        return AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b) : Vector128.Create(a[0], b[0], a[1], b[1]);
    }

    /// <summary>(a2, b2, a3, b3).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> InterleaveHigh(Vector128<float> a, Vector128<float> b)
    {
        if (Sse.IsSupported)
        {
            return Sse.UnpackHigh(a, b);
        }

        return AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b) : Vector128.Create(a[2], b[2], a[3], b[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> PairLow(Vector128<double> a, Vector128<double> b) =>
        (Sse2.IsSupported ? Sse2.UnpackLow(a, b) : Vector128.Create(a.GetLower(), b.GetLower())).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> PairHigh(Vector128<double> a, Vector128<double> b) =>
        (Sse2.IsSupported ? Sse2.UnpackHigh(a, b) : Vector128.Create(a.GetUpper(), b.GetUpper())).AsSingle();
}
