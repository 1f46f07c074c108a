using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Tern.Retrieval.Kernels;

/// <summary>512-bit vectors where bytes can be expanded by a mask and permuted across lanes (VBMI, VBMI2).</summary>
internal readonly unsafe struct Vbmi2Lanes : ISearchLanes
{
    public static string Name => "vector512-vbmi2";

    public static bool IsSupported => Avx512Vbmi2.IsSupported && Avx512Vbmi.IsSupported && Avx512Lanes.IsSupported;

    public static int VectorByteCount => 64;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void DecodeGaps(byte* widths, byte* payload, int count, uint before, uint* ids)
    {
        Vector512<uint> carry = Vector512.Create(before);
        Vector512<uint> last = Vector512.Create(15u);
        Vector512<uint> zero = Vector512<uint>.Zero;
        byte* tables = UnpackTables.Sixteen;
        for (int done = 0; done < count; done += SegmentFormat.GroupSize)
        {
            int width = *widths++;
            if (width > UnpackTables.WidestVector)
            {
                carry = Vector512.Create(GapCodec.ReadGroup(payload, Math.Min(SegmentFormat.GroupSize, count - done), width, carry.ToScalar(), ids + done));
            }
            else
            {
                byte* row = tables + (128 * width);
                Vector512<uint> sums = Avx512Vbmi.PermuteVar64x8(Vector512.Load(payload), Vector512.LoadAligned(row)).AsUInt32();
                sums = (Avx512F.ShiftRightLogicalVariable(sums, Vector512.LoadAligned((uint*)(row + 64))) & Vector512.Create((1u << width) - 1)) + Vector512<uint>.One;
                sums += Avx512F.AlignRight32(sums, zero, 15);
                sums += Avx512F.AlignRight32(sums, zero, 14);
                sums += Avx512F.AlignRight32(sums, zero, 12);
                sums += Avx512F.AlignRight32(sums, zero, 8);
                (sums + carry).Store(ids + done);
                carry += Avx512F.PermuteVar16x32(sums, last);
            }

            payload += 2 * width;
        }
    }

    public static void Multiply(byte* impacts, int count, uint weight, uint* products) => Avx512Lanes.Multiply(impacts, count, weight, products);

    public static void AddLeaf(uint documents, byte* impacts, uint weight, uint* sums) => Avx512Lanes.AddLeaf(documents, impacts, weight, sums);

    public static uint ScoreLeaf(LeafPart* parts, int count, PostingLayout layout, uint firstId, uint floor, uint* sums)
    {
        Vector512<int> total = Vector512.LoadAligned((int*)sums);
        Vector512<ushort> first = Vector512.Create((ushort)firstId);
        for (int i = 0; i < count; i++)
        {
            ref readonly LeafPart part = ref parts[i];
            byte* impacts = part.Impacts;
            Vector128<byte> documents;
            if (part.Ids == null)
            {
                documents = Vector128.CreateScalar(part.Before).AsByte();
            }
            else
            {
                Vector512<ushort> places = (layout == PostingLayout.Raw ? Vector512.Load((ushort*)part.Ids) : DecodeBlock(part.Ids, part.Count, (ushort)part.Before)) - first;
                // What precedes the leaf is negative now, what follows it and what follows the block is large.
                places = Vector512.ConditionalSelect(Vector512.LessThan(Vector512<ushort>.Indices, Vector512.Create((ushort)part.Count)), places, Vector512.Create((ushort)0x7FFF));
                impacts += BitOperations.PopCount(places.ExtractMostSignificantBits());
                // A bit for each document; a shift by 16 and more leaves none.
                Vector512<ulong> bits = Avx512BW.ShiftLeftLogicalVariable(Vector512<ushort>.One, places).AsUInt64();
                Vector256<ulong> half = bits.GetLower() | bits.GetUpper();
                Vector128<ulong> quarter = half.GetLower() | half.GetUpper();
                quarter |= Sse2.ShiftRightLogical128BitLane(quarter, 8);
                quarter |= quarter >>> 32;
                documents = (quarter | (quarter >>> 16)).AsByte();
            }

            Vector128<byte> spread = Ssse3.Shuffle(documents, Vector128.Create(0ul, 0x0101010101010101).AsByte());
            Vector128<byte> mask = ~Vector128.Equals(spread & Vector128.Create(0x8040201008040201).AsByte(), Vector128<byte>.Zero);
            Vector128<byte> values = Avx512Vbmi2.VL.Expand(Vector128<byte>.Zero, mask, Vector128.Load(impacts));
            total += Avx512BW.MultiplyAddAdjacent(Avx512F.ConvertToVector512Int32(values).AsInt16(), Vector512.Create((int)part.Weight).AsInt16());
        }

        uint reached = (uint)Vector512.GreaterThanOrEqual(total.AsUInt32(), Vector512.Create(floor)).ExtractMostSignificantBits();
        if (reached != 0)
        {
            total.StoreAligned((int*)sums);
        }

        return reached;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CountBelow(uint* skips, int count, uint id) => Avx512Lanes.CountBelow(skips, count, id);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddWord(ulong documents, byte* impacts, uint weight, uint* sums)
    {
        Vector512<int> factor = Vector512.Create((int)weight);
        Vector512<byte> values = Expand(Vector512.Create(documents).AsByte(), Vector512.Load(impacts));
        AddSixteen(values.GetLower().GetLower(), factor, sums);
        AddSixteen(values.GetLower().GetUpper(), factor, sums + 16);
        AddSixteen(values.GetUpper().GetLower(), factor, sums + 32);
        AddSixteen(values.GetUpper().GetUpper(), factor, sums + 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddBounds(ulong leaves, byte* maxima, in BoundMap map, byte* bounds)
    {
        Vector512<byte> values = Expand(Vector512.Create(leaves).AsByte(), Vector512.Load(maxima));
        values = Avx512Vbmi.PermuteVar64x8x2(Vector512.LoadAligned(map.Table), values, Vector512.LoadAligned(map.Table + 64));
        Avx512BW.AddSaturate(Vector512.Load(bounds), values).Store(bounds);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AtLeast(byte* values, byte floor) => Avx512Lanes.AtLeast(values, floor);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AtLeast(uint* sums, uint floor) => Avx512Lanes.AtLeast(sums, floor);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Clear(uint* sums) => Avx512Lanes.Clear(sums);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint InLeaf(uint* ids, uint first) => Avx512Lanes.InLeaf(ids, first);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint InLeaf(ushort* ids, uint first) => Avx512Lanes.InLeaf(ids, first);

    /// <summary>A packed block of at most 32 ids of a window, whose gaps have at most 14 bits; what follows its last id is anything.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ushort> DecodeBlock(byte* block, int count, ushort before)
    {
        bool isLong = count > SegmentFormat.GroupSize;
        int width = block[0];
        byte* first = UnpackTables.Halves + (UnpackTables.HalfRow * width);
        byte* second = UnpackTables.Halves + (UnpackTables.HalfRow * (isLong ? block[1] : 0));
        Vector512<byte> from = Vector512.Create(Vector256.LoadAligned(first), Vector256.LoadAligned(second) + Vector256.Create((byte)(2 * width)));
        Vector512<byte> shift = Vector512.Create(Vector256.LoadAligned(first + 32), Vector256.LoadAligned(second + 32));
        Vector512<ushort> mask = Vector512.Create(Vector256.LoadAligned(first + 64), Vector256.LoadAligned(second + 64)).AsUInt16();
        Vector512<ulong> words = Avx512Vbmi.PermuteVar64x8(Vector512.Load(block + (isLong ? 2 : 1)), from).AsUInt64();
        Vector512<ushort> sums = (Avx512Vbmi.MultiShift(shift, words).AsUInt16() & mask) + Vector512<ushort>.One;
        sums += Avx512BW.ShiftLeftLogical128BitLane(sums.AsByte(), 2).AsUInt16();
        sums += Avx512BW.ShiftLeftLogical128BitLane(sums.AsByte(), 4).AsUInt16();
        sums += Avx512BW.ShiftLeftLogical128BitLane(sums.AsByte(), 8).AsUInt16();
        // The last sums of the lanes before: of the neighbour, then of the two before it.
        sums += Avx512BW.PermuteVar32x16x2(sums, Vector512.Create(Vector256.Create(Vector128.Create((ushort)32), Vector128.Create((ushort)7)), Vector256.Create(Vector128.Create((ushort)15), Vector128.Create((ushort)23))), Vector512<ushort>.Zero);
        sums += Avx512BW.PermuteVar32x16x2(sums, Vector512.Create(Vector256.Create((ushort)32), Vector256.Create(Vector128.Create((ushort)7), Vector128.Create((ushort)15))), Vector512<ushort>.Zero);
        return sums + Vector512.Create(before);
    }

    /// <summary>Puts the packed bytes, in turn, where the bits of the word (which stands in every 8 bytes) are set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Expand(Vector512<byte> word, Vector512<byte> packed)
    {
        Vector512<byte> bytes = Avx512BW.Shuffle(word, Vector512.Create(0ul, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303, 0x0404040404040404, 0x0505050505050505, 0x0606060606060606, 0x0707070707070707).AsByte());
        Vector512<byte> mask = ~Vector512.Equals(bytes & Vector512.Create(0x8040201008040201).AsByte(), Vector512<byte>.Zero);
        return Avx512Vbmi2.Expand(Vector512<byte>.Zero, mask, packed);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddSixteen(Vector128<byte> values, Vector512<int> factor, uint* sums)
    {
        // Products of words: the values' upper halves are zero, so one pair is one product; faster than multiplying 32 bits.
        Vector512<int> products = Avx512BW.MultiplyAddAdjacent(Avx512F.ConvertToVector512Int32(values).AsInt16(), factor.AsInt16());
        (Vector512.LoadAligned((int*)sums) + products).StoreAligned((int*)sums);
    }
}
