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
}

internal readonly unsafe struct Float32Reader : IElementReader
{
    public static int ByteSize => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Read(byte* source) => *(float*)source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Read4(byte* source) => Vector128.Load((float*)source);
}

internal readonly unsafe struct BFloat16Reader : IElementReader
{
    public static int ByteSize => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Read(byte* source) => BitConverter.UInt32BitsToSingle((uint)*(ushort*)source << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Read4(byte* source) => (Vector128.WidenLower(Vector128.CreateScalar(*(ulong*)source).AsUInt16()) << 16).AsSingle();
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
        for (int k0 = 0; k0 < depth; k0 += StripDepth)
        {
            int strip = Math.Min(StripDepth, depth - k0);
            for (int c0 = 0; c0 < count; c0 += width)
            {
                byte* from = source + (k0 * pitch) + ((nint)c0 * TReader.ByteSize);
                float* to = destination + ((nint)c0 * depth) + ((nint)k0 * width);
                int columns = Math.Min(width, count - c0);
                for (int k = 0; k < strip; k++)
                {
                    int c = 0;
                    for (; c + 4 <= columns; c += 4)
                    {
                        TReader.Read4(from + (c * TReader.ByteSize)).Store(to + c);
                    }

                    for (; c < columns; c++)
                    {
                        to[c] = TReader.Read(from + (c * TReader.ByteSize));
                    }

                    for (; c < width; c++)
                    {
                        to[c] = 0;
                    }

                    from += pitch;
                    to += width;
                }
            }
        }
    }

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
