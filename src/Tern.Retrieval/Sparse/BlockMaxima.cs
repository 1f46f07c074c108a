using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tern.Retrieval.Kernels;

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

    /// <summary>Asks for the leaves and maxima of 32 spans.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchWord(int word)
    {
        MaximaWord* at = Words + word;
        byte* leaves = (byte*)(Leaves + at->SpansBefore);
        Cache.Prefetch(leaves, leaves + (sizeof(ulong) * BitOperations.PopCount(at->Presence)));
        byte* maxima = Maxima + at->MaximaBefore;
        // Where the last word's maxima end is not written anywhere; there are few.
        Cache.Prefetch(maxima, word + 1 < WordCount ? Maxima + at[1].MaximaBefore : maxima + (2 * Cache.LineSize));
    }
}

/// <summary>The block maxima of one query term and what they add to bounds.</summary>
internal struct BoundedList
{
    public BlockMaxima Maxima;
    public BoundMap Map;
}
