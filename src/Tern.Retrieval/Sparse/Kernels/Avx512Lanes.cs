using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Tern.Retrieval.Kernels;

/// <summary>512-bit vectors with byte and word operations; what needs byte permutations across lanes is done by 256 bits.</summary>
internal readonly unsafe struct Avx512Lanes : ISearchLanes
{
    public static string Name => "vector512-bw";

    public static bool IsSupported => Avx512BW.IsSupported && Avx2Lanes.IsSupported;

    public static int VectorByteCount => 64;

    public static void DecodeGaps(byte* widths, byte* payload, int count, uint before, uint* ids) => Avx2Lanes.DecodeGaps(widths, payload, count, before, ids);

    public static void Multiply(byte* impacts, int count, uint weight, uint* products)
    {
        Vector512<int> factor = Vector512.Create((int)weight);
        for (int i = 0; i < count; i += 16)
        {
            (Avx512F.ConvertToVector512Int32(Vector128.Load(impacts + i)) * factor).Store((int*)products + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddLeaf(uint documents, byte* impacts, uint weight, uint* sums) => Avx2Lanes.AddLeaf(documents, impacts, weight, sums);

    public static uint ScoreLeaf(LeafPart* parts, int count, PostingLayout layout, uint firstId, uint floor, uint* sums) => LeafParts.Score<Avx512Lanes>(parts, count, layout, firstId, floor, sums);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CountBelow(uint* skips, int count, uint id)
    {
        // Always both vectors: a loop of one or two steps is a guess of the processor's, and a wrong one costs more.
        Vector512<uint> limit = Vector512.Create(id);
        Vector512<uint> low = Vector512.Create(0xFFFFu);
        ulong below = Vector512.LessThan(Vector512.Load(skips) & low, limit).ExtractMostSignificantBits()
            | (Vector512.LessThan(Vector512.Load(skips + 16) & low, limit).ExtractMostSignificantBits() << 16);
        return BitOperations.PopCount(below & ((1UL << count) - 1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddWord(ulong documents, byte* impacts, uint weight, uint* sums)
    {
        Vector512<int> factor = Vector512.Create((int)weight);
        for (int half = 0; half < 2; half++, documents >>= 32)
        {
            Vector256<byte> values = Avx2Lanes.Spread32((uint)documents, impacts);
            impacts += BitOperations.PopCount((uint)documents);
            AddSixteen(values.GetLower(), factor, sums + (32 * half));
            AddSixteen(values.GetUpper(), factor, sums + (32 * half) + 16);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddBounds(ulong leaves, byte* maxima, in BoundMap map, byte* bounds)
    {
        Vector512<byte> values = Vector512.Create(Avx2Lanes.Spread32((uint)leaves, maxima), Avx2Lanes.Spread32((uint)(leaves >> 32), maxima + BitOperations.PopCount((uint)leaves)));
        Vector512<ushort> factor = Vector512.Create((ushort)map.Multiplier);
        Vector512<ushort> round = Vector512.Create((ushort)((1 << map.Shift) - 1));
        Vector512<ushort> most = Vector512.Create((ushort)255);
        Vector512<ushort> low = Vector512.Min(((Avx512BW.UnpackLow(values, Vector512<byte>.Zero).AsUInt16() * factor) + round) >> map.Shift, most);
        Vector512<ushort> high = Vector512.Min(((Avx512BW.UnpackHigh(values, Vector512<byte>.Zero).AsUInt16() * factor) + round) >> map.Shift, most);
        Avx512BW.AddSaturate(Vector512.Load(bounds), Avx512BW.PackUnsignedSaturate(low.AsInt16(), high.AsInt16())).Store(bounds);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AtLeast(byte* values, byte floor) => Vector512.GreaterThanOrEqual(Vector512.Load(values), Vector512.Create(floor)).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AtLeast(uint* sums, uint floor)
    {
        Vector512<uint> least = Vector512.Create(floor);
        Vector512<uint> a = Vector512.LoadAligned(sums);
        Vector512<uint> b = Vector512.LoadAligned(sums + 16);
        Vector512<uint> c = Vector512.LoadAligned(sums + 32);
        Vector512<uint> d = Vector512.LoadAligned(sums + 48);
        if (!Vector512.GreaterThanOrEqualAny(Vector512.Max(Vector512.Max(a, b), Vector512.Max(c, d)), least))
        {
            return 0;
        }

        return Vector512.GreaterThanOrEqual(a, least).ExtractMostSignificantBits()
            | (Vector512.GreaterThanOrEqual(b, least).ExtractMostSignificantBits() << 16)
            | (Vector512.GreaterThanOrEqual(c, least).ExtractMostSignificantBits() << 32)
            | (Vector512.GreaterThanOrEqual(d, least).ExtractMostSignificantBits() << 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Clear(uint* sums)
    {
        Vector512<uint>.Zero.StoreAligned(sums);
        Vector512<uint>.Zero.StoreAligned(sums + 16);
        Vector512<uint>.Zero.StoreAligned(sums + 32);
        Vector512<uint>.Zero.StoreAligned(sums + 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint InLeaf(uint* ids, uint first) =>
        (uint)Vector512.LessThan(Vector512.Load(ids) - Vector512.Create(first), Vector512.Create((uint)SegmentFormat.LeafSize)).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint InLeaf(ushort* ids, uint first) =>
        (uint)Vector512.LessThan(Vector512.Load(ids) - Vector512.Create((ushort)first), Vector512.Create((ushort)SegmentFormat.LeafSize)).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddSixteen(Vector128<byte> values, Vector512<int> factor, uint* sums) =>
        (Vector512.LoadAligned((int*)sums) + (Avx512F.ConvertToVector512Int32(values) * factor)).StoreAligned((int*)sums);
}
