using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tern.Retrieval.Kernels;

/// <summary>128-bit vectors and plain code, for every machine.</summary>
internal readonly unsafe struct PortableLanes : ISearchLanes
{
    public static string Name => "vector128";

    public static bool IsSupported => true;

    public static int VectorByteCount => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void DecodeGaps(byte* widths, byte* payload, int count, uint before, uint* ids)
    {
        for (int done = 0; done < count; done += SegmentFormat.GroupSize)
        {
            int members = Math.Min(SegmentFormat.GroupSize, count - done);
            int width = *widths++;
            before = GapCodec.ReadGroup(payload, members, width, before, ids + done);
            payload += 2 * width;
        }
    }

    public static void Multiply(byte* impacts, int count, uint weight, uint* products)
    {
        for (int i = 0; i < count; i++)
        {
            products[i] = impacts[i] * weight;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddLeaf(uint documents, byte* impacts, uint weight, uint* sums)
    {
        for (; documents != 0; documents &= documents - 1)
        {
            sums[BitOperations.TrailingZeroCount(documents)] += *impacts++ * weight;
        }
    }

    public static uint ScoreLeaf(LeafPart* parts, int count, PostingLayout layout, uint firstId, uint floor, uint* sums) => LeafParts.Score<PortableLanes>(parts, count, layout, firstId, floor, sums);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int CountBelow(uint* skips, int count, uint id)
    {
        int below = 0;
        while (below < count && (skips[below] & 0xFFFF) < id)
        {
            below++;
        }

        return below;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddWord(ulong documents, byte* impacts, uint weight, uint* sums)
    {
        for (; documents != 0; documents &= documents - 1)
        {
            sums[BitOperations.TrailingZeroCount(documents)] += *impacts++ * weight;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddBounds(ulong leaves, byte* maxima, in BoundMap map, byte* bounds)
    {
        for (; leaves != 0; leaves &= leaves - 1)
        {
            byte* at = bounds + BitOperations.TrailingZeroCount(leaves);
            *at = (byte)Math.Min(255, *at + map.Table[*maxima++]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AtLeast(byte* values, byte floor)
    {
        ulong bits = 0;
        for (int i = 0; i < 4; i++)
        {
            bits |= (ulong)Vector128.GreaterThanOrEqual(Vector128.Load(values + (16 * i)), Vector128.Create(floor)).ExtractMostSignificantBits() << (16 * i);
        }

        return bits;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AtLeast(uint* sums, uint floor)
    {
        Vector128<int> below = Vector128.Create((int)floor - 1);
        ulong bits = 0;
        for (int i = 0; i < 16; i += 2)
        {
            int* at = (int*)sums + (4 * i);
            Vector128<int> first = Vector128.Load(at);
            Vector128<int> second = Vector128.Load(at + 4);
            if (Vector128.GreaterThanAny(Vector128.Max(first, second), below))
            {
                bits |= (ulong)Vector128.GreaterThan(first, below).ExtractMostSignificantBits() << (4 * i);
                bits |= (ulong)Vector128.GreaterThan(second, below).ExtractMostSignificantBits() << ((4 * i) + 4);
            }
        }

        return bits;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Clear(uint* sums)
    {
        for (int i = 0; i < 64; i += 4)
        {
            Vector128<uint>.Zero.StoreAligned(sums + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint InLeaf(uint* ids, uint first)
    {
        uint bits = 0;
        for (int i = 0; i < 4; i++)
        {
            bits |= Vector128.LessThan(Vector128.Load(ids + (4 * i)) - Vector128.Create(first), Vector128.Create((uint)SegmentFormat.LeafSize)).ExtractMostSignificantBits() << (4 * i);
        }

        return bits;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint InLeaf(ushort* ids, uint first)
    {
        uint bits = 0;
        for (int i = 0; i < 4; i++)
        {
            bits |= Vector128.LessThan(Vector128.Load(ids + (8 * i)) - Vector128.Create((ushort)first), Vector128.Create((ushort)SegmentFormat.LeafSize)).ExtractMostSignificantBits() << (8 * i);
        }

        return bits;
    }
}
