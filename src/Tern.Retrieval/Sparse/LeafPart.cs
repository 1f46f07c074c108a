using System.Numerics;

namespace Tern.Retrieval;

/// <summary>Postings of one list that may lie in one leaf: a block to be searched, or of a bitmap the leaf's own.</summary>
internal unsafe struct LeafPart
{
    /// <summary>While the part waits to be located, the window; then the block's ids, null for a bitmap.</summary>
    public byte* Ids;

    /// <summary>While the part waits, the window's end; then the impacts.</summary>
    public byte* Impacts;

    public uint Weight;

    /// <summary>The id before a block; of a bitmap the leaf's documents as bits.</summary>
    public uint Before;

    public int Count;

    /// <summary>
    /// Finds the leaf that begins with a window's document <paramref name="firstId"/> in waiting parts and writes what is to
    /// be added, at most two parts for each; returns how many.
    /// </summary>
    public static int Locate(LeafPart* waiting, int count, uint firstId, LeafPart* located)
    {
        int found = 0;
        for (int i = 0; i < count; i++)
        {
            var window = new WindowReader(waiting[i].Ids, waiting[i].Impacts);
            uint weight = waiting[i].Weight;
            if (window.IsBitmap)
            {
                located[found++] = OfBitmap(window, firstId, weight);
                continue;
            }

            int block = window.FindBlock(firstId);
            located[found++] = OfBlock(window, block, weight);
            if (block + 1 < window.BlockCount && window.Before(block + 1) < firstId + SegmentFormat.LeafSize - 1)
            {
                located[found++] = OfBlock(window, block + 1, weight);
            }
        }

        return found;
    }

    private static LeafPart OfBlock(in WindowReader window, int block, uint weight) => new()
    {
        Ids = window.Block(block),
        Impacts = window.Impacts + (block * SegmentFormat.BlockSize),
        Weight = weight,
        Before = window.Before(block),
        Count = window.BlockLength(block),
    };

    private static LeafPart OfBitmap(in WindowReader window, uint firstId, uint weight)
    {
        uint word = firstId >> 6;
        byte* impacts = window.Impacts + window.Ranks[firstId >> SegmentFormat.SpanShift];
        for (uint i = word & ~15u; i < word; i++)
        {
            impacts += BitOperations.PopCount(window.Words[i]);
        }

        ulong bits = window.Words[word];
        int shift = (int)(firstId & 63);
        return new LeafPart
        {
            Impacts = impacts + BitOperations.PopCount(bits & ((1UL << shift) - 1)),
            Weight = weight,
            Before = (uint)(bits >> shift) & 0xFFFF,
        };
    }
}
