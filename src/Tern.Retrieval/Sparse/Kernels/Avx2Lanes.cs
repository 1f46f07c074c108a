using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Tern.Retrieval.Kernels;

/// <summary>256-bit vectors; packed bytes are spread by parallel bit deposit.</summary>
internal readonly unsafe struct Avx2Lanes : ISearchLanes
{
    public static string Name => "vector256";

    public static bool IsSupported => Avx2.IsSupported && Bmi2.X64.IsSupported;

    public static int VectorByteCount => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void DecodeGaps(byte* widths, byte* payload, int count, uint before, uint* ids)
    {
        Vector256<uint> carry = Vector256.Create(before);
        for (int done = 0; done < count; done += SegmentFormat.GroupSize)
        {
            int width = *widths++;
            if (width > UnpackTables.WidestVector)
            {
                carry = Vector256.Create(GapCodec.ReadGroup(payload, Math.Min(SegmentFormat.GroupSize, count - done), width, carry.ToScalar(), ids + done));
            }
            else
            {
                Vector256<uint> mask = Vector256.Create((1u << width) - 1);
                byte* row = UnpackTables.TwiceFour + (64 * width);
                Vector256<uint> low = Unpack(payload, width, row, mask);
                Vector256<uint> high = Unpack(payload + width, width, row, mask);
                low = Sums(low) + carry;
                carry = Avx2.PermuteVar8x32(low, Vector256.Create(7u));
                high = Sums(high) + carry;
                carry = Avx2.PermuteVar8x32(high, Vector256.Create(7u));
                low.Store(ids + done);
                high.Store(ids + done + 8);
            }

            payload += 2 * width;
        }
    }

    public static void Multiply(byte* impacts, int count, uint weight, uint* products)
    {
        Vector256<int> factor = Vector256.Create((int)weight);
        for (int i = 0; i < count; i += 8)
        {
            (Avx2.ConvertToVector256Int32(impacts + i) * factor).Store((int*)products + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddLeaf(uint documents, byte* impacts, uint weight, uint* sums)
    {
        AddEight(documents, impacts, weight, sums);
        AddEight(documents >> 8, impacts + BitOperations.PopCount(documents & 0xFF), weight, sums + 8);
    }

    public static uint ScoreLeaf(LeafPart* parts, int count, PostingLayout layout, uint firstId, uint floor, uint* sums) => LeafParts.Score<Avx2Lanes>(parts, count, layout, firstId, floor, sums);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CountBelow(uint* skips, int count, uint id)
    {
        // Reading on to the next whole vector is allowed; what lies there is not counted.
        Vector256<uint> limit = Vector256.Create(id);
        Vector256<uint> low = Vector256.Create(0xFFFFu);
        int below = 0;
        for (int i = 0; i < count; i += 8)
        {
            below += BitOperations.PopCount(Vector256.LessThan(Vector256.Load(skips + i) & low, limit).ExtractMostSignificantBits() & ((1u << Math.Min(8, count - i)) - 1));
        }

        return below;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddWord(ulong documents, byte* impacts, uint weight, uint* sums)
    {
        for (int i = 0; i < 8; i++, documents >>= 8)
        {
            AddEight((uint)documents, impacts, weight, sums + (8 * i));
            impacts += BitOperations.PopCount((uint)(documents & 0xFF));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddBounds(ulong leaves, byte* maxima, in BoundMap map, byte* bounds)
    {
        for (int half = 0; half < 2; half++, leaves >>= 32)
        {
            Vector256<byte> values = Spread32((uint)leaves, maxima);
            maxima += BitOperations.PopCount((uint)leaves);
            byte* at = bounds + (32 * half);
            Avx2.AddSaturate(Vector256.Load(at), Map(values, map)).Store(at);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AtLeast(byte* values, byte floor)
    {
        Vector256<byte> least = Vector256.Create(floor);
        Vector256<byte> low = Vector256.Load(values);
        Vector256<byte> high = Vector256.Load(values + 32);
        return Vector256.Equals(Vector256.Max(low, least), low).ExtractMostSignificantBits()
            | ((ulong)Vector256.Equals(Vector256.Max(high, least), high).ExtractMostSignificantBits() << 32);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AtLeast(uint* sums, uint floor)
    {
        Vector256<int> below = Vector256.Create((int)floor - 1);
        ulong bits = 0;
        for (int i = 0; i < 8; i += 2)
        {
            Vector256<int> first = Vector256.LoadAligned((int*)sums + (8 * i));
            Vector256<int> second = Vector256.LoadAligned((int*)sums + (8 * i) + 8);
            if (Vector256.GreaterThanAny(Vector256.Max(first, second), below))
            {
                bits |= (ulong)Vector256.GreaterThan(first, below).ExtractMostSignificantBits() << (8 * i);
                bits |= (ulong)Vector256.GreaterThan(second, below).ExtractMostSignificantBits() << ((8 * i) + 8);
            }
        }

        return bits;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Clear(uint* sums)
    {
        for (int i = 0; i < 64; i += 8)
        {
            Vector256<uint>.Zero.StoreAligned(sums + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint InLeaf(uint* ids, uint first)
    {
        Vector256<uint> from = Vector256.Create(first);
        Vector256<uint> size = Vector256.Create((uint)SegmentFormat.LeafSize);
        return Vector256.LessThan(Vector256.Load(ids) - from, size).ExtractMostSignificantBits()
            | (Vector256.LessThan(Vector256.Load(ids + 8) - from, size).ExtractMostSignificantBits() << 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint InLeaf(ushort* ids, uint first)
    {
        Vector256<ushort> from = Vector256.Create((ushort)first);
        Vector256<ushort> size = Vector256.Create((ushort)SegmentFormat.LeafSize);
        return Vector256.LessThan(Vector256.Load(ids) - from, size).ExtractMostSignificantBits()
            | (Vector256.LessThan(Vector256.Load(ids + 16) - from, size).ExtractMostSignificantBits() << 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<byte> Spread32(uint bits, byte* packed)
    {
        ulong a = Spread8(bits, ref packed);
        ulong b = Spread8(bits >> 8, ref packed);
        ulong c = Spread8(bits >> 16, ref packed);
        ulong d = Spread8(bits >> 24, ref packed);
        return Vector256.Create(a, b, c, d).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Spread8(uint bits, ref byte* packed)
    {
        // One bit to a byte, then that byte full: the places of the packed bytes.
        ulong places = Bmi2.X64.ParallelBitDeposit(bits & 0xFF, 0x0101010101010101) * 0xFF;
        ulong spread = Bmi2.X64.ParallelBitDeposit(Unsafe.ReadUnaligned<ulong>(packed), places);
        packed += BitOperations.PopCount(bits & 0xFF);
        return spread;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddEight(uint documents, byte* impacts, uint weight, uint* sums)
    {
        ulong spread = Spread8(documents, ref impacts);
        Vector256<int> values = Avx2.ConvertToVector256Int32(Vector128.CreateScalarUnsafe(spread).AsByte());
        (Vector256.LoadAligned((int*)sums) + (values * Vector256.Create((int)weight))).StoreAligned((int*)sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Map(Vector256<byte> maxima, in BoundMap map)
    {
        Vector256<ushort> factor = Vector256.Create((ushort)map.Multiplier);
        Vector256<ushort> round = Vector256.Create((ushort)((1 << map.Shift) - 1));
        Vector256<ushort> low = ((Avx2.UnpackLow(maxima, Vector256<byte>.Zero).AsUInt16() * factor) + round) >> map.Shift;
        Vector256<ushort> high = ((Avx2.UnpackHigh(maxima, Vector256<byte>.Zero).AsUInt16() * factor) + round) >> map.Shift;
        // The pack takes signed words; what is above 32767 must stay large.
        Vector256<ushort> most = Vector256.Create((ushort)255);
        return Avx2.PackUnsignedSaturate(Vector256.Min(low, most).AsInt16(), Vector256.Min(high, most).AsInt16());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Unpack(byte* payload, int width, byte* row, Vector256<uint> mask)
    {
        Vector256<byte> bytes = Vector256.Create(Vector128.Load(payload), Vector128.Load(payload + (4 * width / 8)));
        bytes = Avx2.Shuffle(bytes, Vector256.LoadAligned(row));
        return Avx2.ShiftRightLogicalVariable(bytes.AsUInt32(), Vector256.LoadAligned((uint*)(row + 32))) & mask;
    }

    /// <summary>The running sums of eight gaps, each plus one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Sums(Vector256<uint> gaps)
    {
        gaps += Vector256<uint>.One;
        gaps += Avx2.ShiftLeftLogical128BitLane(gaps, 4);
        gaps += Avx2.ShiftLeftLogical128BitLane(gaps, 8);
        Vector256<uint> lowLast = Avx2.PermuteVar8x32(gaps, Vector256.Create(3u));
        return gaps + Avx2.Blend(Vector256<uint>.Zero, lowLast, 0b1111_0000);
    }
}
