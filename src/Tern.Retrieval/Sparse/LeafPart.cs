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

    public static LeafPart OfBlock(in WindowReader window, int block, uint weight) => new()
    {
        Ids = window.Block(block),
        Impacts = window.Impacts + (block * SegmentFormat.BlockSize),
        Weight = weight,
        Before = window.Before(block),
        Count = window.BlockLength(block),
    };

    public static LeafPart OfBitmap(in WindowReader window, uint firstId, uint weight)
    {
        uint word = firstId >> 6;
        // A fixed number of steps, since a processor cannot guess another: the words before the leaf's under a mask of ones.
        ulong* words = window.Words + (word & ~15u);
        ulong* masks = WordMasks.Before + 15 - (word & 15);
        int before = window.Ranks[firstId >> SegmentFormat.SpanShift];
        for (int i = 0; i < 15; i += 3)
        {
            before += BitOperations.PopCount(words[i] & masks[i]) + BitOperations.PopCount(words[i + 1] & masks[i + 1]) + BitOperations.PopCount(words[i + 2] & masks[i + 2]);
        }

        ulong bits = window.Words[word];
        int shift = (int)(firstId & 63);
        return new LeafPart
        {
            Impacts = window.Impacts + before + BitOperations.PopCount(bits & ((1UL << shift) - 1)),
            Weight = weight,
            Before = (uint)(bits >> shift) & 0xFFFF,
        };
    }
}

/// <summary>15 words of ones, 15 of zeros: from place 15 − n on, the first n words of 15 are ones.</summary>
file static unsafe class WordMasks
{
    public static readonly ulong* Before = Create();

    private static ulong* Create()
    {
        ulong* masks = (ulong*)System.Runtime.InteropServices.NativeMemory.AllocZeroed(30, sizeof(ulong));
        new Span<ulong>(masks, 15).Fill(ulong.MaxValue);
        return masks;
    }
}
