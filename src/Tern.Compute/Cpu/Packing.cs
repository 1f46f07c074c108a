using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Tern.Compute.Cpu;

/// <summary>
/// Lays operands out in the order in which the register tile reads them. A panel is <c>width</c> rows or columns of an
/// operand, and holds for each k of the inner dimension those <c>width</c> elements side by side. What a last panel has
/// beyond the operand is repeated elements that nobody stores.
/// </summary>
internal static unsafe partial class Packing
{
    /// <summary>Columns of op(right), Float32 or BFloat16, in panels: the panel of column j starts at destination + j · depth.</summary>
    public static void PackRight(Tensor right, bool transposeRight, int column, int count, int k, int depth, int width, float* destination)
    {
        if (right.DType == DType.BFloat16)
        {
            PackRight<BFloat16Reader>(right, transposeRight, column, count, k, depth, width, destination);
        }
        else
        {
            PackRight<Float32Reader>(right, transposeRight, column, count, k, depth, width, destination);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackRight<TReader>(Tensor right, bool transposeRight, int column, int count, int k, int depth, int width, float* destination)
        where TReader : IElementReader
    {
        nint pitch = (nint)right.RowPitch * TReader.ByteSize;
        byte* source = (byte*)right.Address;
        if (!transposeRight)
        {
            CopyPanels<TReader>(source + (k * pitch) + ((nint)column * TReader.ByteSize), pitch, count, width, depth, destination);
            return;
        }

        source += (column * pitch) + ((nint)k * TReader.ByteSize);
        for (int j = 0; j < count; j += width)
        {
            TransposePanel<TReader>(source + (j * pitch), pitch, Math.Min(width, count - j), width, depth, destination + ((nint)j * depth));
        }
    }

    /// <summary>Rows as they are, at a pitch that keeps them out of each other's cache sets.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CopyRows(float* source, nint pitch, int count, int depth, float* destination, nint destinationPitch)
    {
        for (int i = 0; i < count; i++)
        {
            Unsafe.CopyBlockUnaligned(destination, source, (uint)depth * sizeof(float));
            source += pitch;
            destination += destinationPitch;
        }
    }

    /// <summary>
    /// Columns as panels of <paramref name="rows"/> of them, for a left operand that is stored transposed: the panel of
    /// column i starts at destination + i / rows · panelPitch and holds <paramref name="step"/> floats for each k.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CopyColumns(float* source, nint pitch, int count, int rows, int step, int depth, float* destination, nint panelPitch)
    {
        // Strips of few source rows: their lines stay in the first cache until every panel has taken its part of them.
        const int StripDepth = 8;
        for (int k = 0; k < depth; k += StripDepth)
        {
            int strip = Math.Min(StripDepth, depth - k);
            float* to = destination + ((nint)k * step);
            for (int c = 0; c < count; c += rows)
            {
                float* from = source + (k * pitch) + c;
                if (count - c >= 16 && step == 16)
                {
                    CopyStrip(from, pitch, 64, strip, to, 16);
                }
                else if (count - c >= 8 && step == 8)
                {
                    CopyStrip(from, pitch, 32, strip, to, 8);
                }
                else
                {
                    int valid = Math.Min(rows, count - c);
                    for (int s = 0; s < strip; s++)
                    {
                        Unsafe.CopyBlockUnaligned(to + (s * step), from + (s * pitch), (uint)valid * sizeof(float));
                    }
                }

                to += panelPitch;
            }
        }
    }

    /// <summary>
    /// One panel from rows that run along the inner dimension: destination[k · width + r] = source[r · pitch + k] for
    /// <paramref name="count"/> rows, the last of which stands in for those that are missing. The pitch counts bytes.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TransposePanel<TReader>(byte* source, nint pitch, int count, int width, int depth, float* destination)
        where TReader : IElementReader
    {
        int last = count - 1;
        int k = 0;
        if (Vector512.IsHardwareAccelerated && Avx512F.IsSupported && width % 16 == 0)
        {
            for (; k + 16 <= depth; k += 16)
            {
                for (int r = 0; r < width; r += 16)
                {
                    Transpose16<TReader>(source + (k * TReader.ByteSize), pitch, r, last, destination + ((nint)k * width) + r, width);
                }
            }
        }
        else if (Avx.IsSupported && width % 8 == 0)
        {
            for (; k + 8 <= depth; k += 8)
            {
                for (int r = 0; r < width; r += 8)
                {
                    Transpose8<TReader>(source + (k * TReader.ByteSize), pitch, r, last, destination + ((nint)k * width) + r, width);
                }
            }
        }

        for (; k < depth; k++)
        {
            for (int r = 0; r < width; r++)
            {
                destination[((nint)k * width) + r] = TReader.Read(source + (Math.Min(r, last) * pitch) + (k * TReader.ByteSize));
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
        const int StripDepth = 8;
        for (int k = 0; k < depth; k += StripDepth)
        {
            int strip = Math.Min(StripDepth, depth - k);
            for (int c = 0; c < count; c += width)
            {
                byte* from = source + (k * pitch) + ((nint)c * TReader.ByteSize);
                float* to = destination + ((nint)c * depth) + ((nint)k * width);
                int valid = Math.Min(width, count - c);
                for (int s = 0; s < strip; s++)
                {
                    if (valid < width)
                    {
                        for (int v = 0; v < width; v++)
                        {
                            to[v] = v < valid ? TReader.Read(from + (v * TReader.ByteSize)) : 0;
                        }
                    }
                    else if (Vector512.IsHardwareAccelerated && width == 32)
                    {
                        TReader.Read16(from).Store(to);
                        TReader.Read16(from + (16 * TReader.ByteSize)).Store(to + 16);
                    }
                    else
                    {
                        for (int v = 0; v < width; v += 8)
                        {
                            TReader.Read8(from + (v * TReader.ByteSize)).Store(to + v);
                        }
                    }

                    from += pitch;
                    to += width;
                }
            }
        }
    }

    /// <summary>Values that BFloat16 holds, in their 16 bits; the count is a multiple of 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Narrow(float* source, nint count, ushort* destination)
    {
        for (nint i = 0; i < count; i += 8)
        {
            Vector256<uint> bits = Vector256.Load((uint*)source + i) >>> 16;
            Vector128.Narrow(bits.GetLower(), bits.GetUpper()).Store(destination + i);
        }
    }

    /// <summary>BFloat16 values as floats; the count is a multiple of 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(ushort* source, nint count, float* destination)
    {
        nint i = 0;
        for (; Vector512.IsHardwareAccelerated && i + 32 <= count; i += 32)
        {
            BFloat16Reader.Read16((byte*)(source + i)).Store(destination + i);
            BFloat16Reader.Read16((byte*)(source + i + 16)).Store(destination + i + 16);
        }

        for (; i < count; i += 8)
        {
            BFloat16Reader.Read8((byte*)(source + i)).Store(destination + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyStrip(float* from, nint pitch, uint byteCount, int strip, float* to, int step)
    {
        for (; strip > 0; strip--)
        {
            Unsafe.CopyBlockUnaligned(to, from, byteCount);
            from += pitch;
            to += step;
        }
    }
}
