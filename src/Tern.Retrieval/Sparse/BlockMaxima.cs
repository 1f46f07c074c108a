using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tern.Retrieval;

/// <summary>Which of 32 spans of 1024 documents hold a posting, and what lies before them.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = 12)]
internal struct MaximaWord
{
    public uint Presence;
    public uint SpansBefore;
    public uint MaximaBefore;
}

/// <summary>A view of the block maxima of one long list.</summary>
internal readonly unsafe struct BlockMaxima
{
    public BlockMaxima(byte* start, int spanCount)
    {
        WordCount = (spanCount + 31) >> 5;
        Words = (MaximaWord*)start;
        Leaves = (ulong*)(start + (((WordCount * sizeof(MaximaWord)) + 7) & ~7));
        MaximaWord* last = Words + WordCount - 1;
        Maxima = (byte*)(Leaves + last->SpansBefore + BitOperations.PopCount(last->Presence));
    }

    public int WordCount { get; }

    public MaximaWord* Words { get; }

    /// <summary>The leaves of each present span.</summary>
    public ulong* Leaves { get; }

    /// <summary>One byte for each present leaf, at most 127.</summary>
    public byte* Maxima { get; }

    /// <summary>1 if a leaf is present, else 0; without a branch, since no processor can guess it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Has(uint leaf)
    {
        uint span = leaf >> 6;
        MaximaWord* word = Words + (span >> 5);
        uint presence = word->Presence;
        int bit = (int)(span & 31);
        // Of an absent span this reads another's leaves or the maxima behind the last one's, and drops them.
        ulong leaves = Leaves[word->SpansBefore + (uint)BitOperations.PopCount(presence & ((1u << bit) - 1))];
        return (presence >> bit) & (uint)(leaves >> (int)(leaf & 63)) & 1;
    }
}
