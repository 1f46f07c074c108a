using System.Numerics;
using System.Runtime.CompilerServices;

namespace Tern.Retrieval.Kernels;

/// <summary>Scores a leaf part by part, for lanes that cannot keep its sums in a register.</summary>
internal static unsafe class LeafParts
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Score<TLanes>(LeafPart* parts, int count, PostingLayout layout, uint firstId, uint floor, uint* sums)
        where TLanes : struct, ISearchLanes
    {
        uint* ids = stackalloc uint[SegmentFormat.BlockSize];
        for (int i = 0; i < count; i++)
        {
            ref readonly LeafPart part = ref parts[i];
            byte* impacts = part.Impacts;
            uint weight = part.Weight;
            if (part.Ids == null)
            {
                TLanes.AddLeaf(part.Before, impacts, weight, sums);
            }
            else if (layout == PostingLayout.Raw)
            {
                ushort* rawIds = (ushort*)part.Ids;
                for (uint bits = TLanes.InLeaf(rawIds, firstId) & Below(part.Count); bits != 0; bits &= bits - 1)
                {
                    int at = BitOperations.TrailingZeroCount(bits);
                    sums[rawIds[at] - firstId] += impacts[at] * weight;
                }
            }
            else
            {
                TLanes.DecodeGaps(part.Ids, part.Ids + GapCodec.GroupCount(part.Count), part.Count, part.Before, ids);
                for (uint bits = (TLanes.InLeaf(ids, firstId) | (TLanes.InLeaf(ids + 16, firstId) << 16)) & Below(part.Count); bits != 0; bits &= bits - 1)
                {
                    int at = BitOperations.TrailingZeroCount(bits);
                    sums[ids[at] - firstId] += impacts[at] * weight;
                }
            }
        }

        return (uint)TLanes.AtLeast(sums, floor);
    }

    /// <summary>The lowest bits, 1 to 32 of them.</summary>
    private static uint Below(int count) => uint.MaxValue >> (SegmentFormat.BlockSize - count);
}
