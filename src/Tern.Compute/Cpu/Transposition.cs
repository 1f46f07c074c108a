using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Tern.Compute.Cpu;

/// <summary>How an operand's elements are read as floats while it is packed.</summary>
internal unsafe interface IElementReader
{
    static abstract int ByteSize { get; }

    static abstract float Read(byte* source);

    static abstract Vector256<float> Read8(byte* source);

    static abstract Vector512<float> Read16(byte* source);
}

internal readonly unsafe struct Float32Reader : IElementReader
{
    public static int ByteSize => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Read(byte* source) => *(float*)source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Read8(byte* source) => Vector256.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Read16(byte* source) => Vector512.Load((float*)source);
}

internal readonly unsafe struct BFloat16Reader : IElementReader
{
    public static int ByteSize => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Read(byte* source) => BitConverter.UInt32BitsToSingle((uint)*(ushort*)source << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Read8(byte* source) => (Vector256.WidenLower(Vector256.Create(Vector128.Load((ushort*)source), default)) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Read16(byte* source) => (Vector512.WidenLower(Vector512.Create(Vector256.Load((ushort*)source), default)) << 16).AsSingle();
}

internal static unsafe partial class Packing
{
    /// <summary>Sixteen rows × sixteen columns, from the row <paramref name="first"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose16<TReader>(byte* source, nint pitch, int first, int last, float* to, nint width)
        where TReader : IElementReader
    {
        Quarter<TReader>(source, pitch, first, last, out Vector512<float> a0, out Vector512<float> a1, out Vector512<float> a2, out Vector512<float> a3);
        Quarter<TReader>(source, pitch, first + 4, last, out Vector512<float> b0, out Vector512<float> b1, out Vector512<float> b2, out Vector512<float> b3);
        Quarter<TReader>(source, pitch, first + 8, last, out Vector512<float> c0, out Vector512<float> c1, out Vector512<float> c2, out Vector512<float> c3);
        Quarter<TReader>(source, pitch, first + 12, last, out Vector512<float> d0, out Vector512<float> d1, out Vector512<float> d2, out Vector512<float> d3);
        StoreColumns(a0, b0, c0, d0, to, width);
        StoreColumns(a1, b1, c1, d1, to + width, width);
        StoreColumns(a2, b2, c2, d2, to + (2 * width), width);
        StoreColumns(a3, b3, c3, d3, to + (3 * width), width);
    }

    /// <summary>Four rows; the 128-bit lane i of result j holds their elements of column 4 i + j.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quarter<TReader>(byte* source, nint pitch, int first, int last, out Vector512<float> r0, out Vector512<float> r1, out Vector512<float> r2, out Vector512<float> r3)
        where TReader : IElementReader
    {
        Vector512<float> a = TReader.Read16(source + (Math.Min(first, last) * pitch));
        Vector512<float> b = TReader.Read16(source + (Math.Min(first + 1, last) * pitch));
        Vector512<float> c = TReader.Read16(source + (Math.Min(first + 2, last) * pitch));
        Vector512<float> d = TReader.Read16(source + (Math.Min(first + 3, last) * pitch));
        Vector512<double> abLow = Avx512F.UnpackLow(a, b).AsDouble(), abHigh = Avx512F.UnpackHigh(a, b).AsDouble();
        Vector512<double> cdLow = Avx512F.UnpackLow(c, d).AsDouble(), cdHigh = Avx512F.UnpackHigh(c, d).AsDouble();
        r0 = Avx512F.UnpackLow(abLow, cdLow).AsSingle();
        r1 = Avx512F.UnpackHigh(abLow, cdLow).AsSingle();
        r2 = Avx512F.UnpackLow(abHigh, cdHigh).AsSingle();
        r3 = Avx512F.UnpackHigh(abHigh, cdHigh).AsSingle();
    }

    /// <summary>A 4 × 4 transposition of 128-bit lanes: the columns j, j + 4, j + 8 and j + 12.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreColumns(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* to, nint width)
    {
        Vector512<float> abEven = Avx512F.Shuffle4x128(a, b, 0x88), abOdd = Avx512F.Shuffle4x128(a, b, 0xDD);
        Vector512<float> cdEven = Avx512F.Shuffle4x128(c, d, 0x88), cdOdd = Avx512F.Shuffle4x128(c, d, 0xDD);
        Avx512F.Shuffle4x128(abEven, cdEven, 0x88).Store(to);
        Avx512F.Shuffle4x128(abOdd, cdOdd, 0x88).Store(to + (4 * width));
        Avx512F.Shuffle4x128(abEven, cdEven, 0xDD).Store(to + (8 * width));
        Avx512F.Shuffle4x128(abOdd, cdOdd, 0xDD).Store(to + (12 * width));
    }

    /// <summary>Eight rows × eight columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose8<TReader>(byte* source, nint pitch, int first, int last, float* to, nint width)
        where TReader : IElementReader
    {
        Vector256<float> a = TReader.Read8(source + (Math.Min(first, last) * pitch));
        Vector256<float> b = TReader.Read8(source + (Math.Min(first + 1, last) * pitch));
        Vector256<float> c = TReader.Read8(source + (Math.Min(first + 2, last) * pitch));
        Vector256<float> d = TReader.Read8(source + (Math.Min(first + 3, last) * pitch));
        Vector256<float> e = TReader.Read8(source + (Math.Min(first + 4, last) * pitch));
        Vector256<float> f = TReader.Read8(source + (Math.Min(first + 5, last) * pitch));
        Vector256<float> g = TReader.Read8(source + (Math.Min(first + 6, last) * pitch));
        Vector256<float> h = TReader.Read8(source + (Math.Min(first + 7, last) * pitch));
        TransposeHalves(Avx.UnpackLow(a, b), Avx.UnpackLow(c, d), Avx.UnpackLow(e, f), Avx.UnpackLow(g, h), to, width);
        TransposeHalves(Avx.UnpackHigh(a, b), Avx.UnpackHigh(c, d), Avx.UnpackHigh(e, f), Avx.UnpackHigh(g, h), to + (2 * width), width);
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
}
