using System.Runtime.InteropServices;

namespace Tern.Retrieval;

/// <summary>The native memory of one search. Sums, leaf sums and heads are zero between searches.</summary>
internal sealed unsafe class SearchBuffers : IDisposable
{
    private readonly NativeBuffer<uint> _sums = new();
    private readonly NativeBuffer<uint> _scratch = new();
    private readonly NativeBuffer<uint> _leafSums = new();
    private readonly NativeBuffer<uint> _found = new();

    public SearchBuffers()
    {
        Sums = _sums.Ensure(SegmentFormat.WindowSize);
        Ids = _scratch.Ensure(2 * (SegmentFormat.WindowSize + 64));
        Products = Ids + SegmentFormat.WindowSize + 64;
        LeafSums = _leafSums.Ensure(64 * LeafScorer.RingSize);
        FoundIds = _found.Ensure(2 * (SegmentFormat.WindowSize + 64));
        FoundSums = FoundIds + SegmentFormat.WindowSize + 64;
    }

    /// <summary>One sum for each document of a window.</summary>
    public uint* Sums { get; }

    /// <summary>Decoded ids of a window.</summary>
    public uint* Ids { get; }

    /// <summary>Products of a window's postings.</summary>
    public uint* Products { get; }

    /// <summary>The sums of 16 documents and 48 zeros, for each leaf that is scored next.</summary>
    public uint* LeafSums { get; }

    /// <summary>Places and sums that a sweep over a window found.</summary>
    public uint* FoundIds { get; }

    public uint* FoundSums { get; }

    /// <summary>Documents of the query's short lists, list after list, and their products.</summary>
    public NativeBuffer<uint> ShortIds { get; } = new();

    public NativeBuffer<uint> ShortProducts { get; } = new();

    /// <summary>Places in the short lists of the postings whose leaves may be scored, then those postings, chained by leaf.</summary>
    public NativeBuffer<uint> ShortPlaces { get; } = new();

    public NativeBuffer<ShortPosting> ShortPostings { get; } = new();

    /// <summary>For each leaf the first of its chained postings, plus one; zero between searches.</summary>
    public NativeBuffer<uint> Heads { get; } = new();

    /// <summary>A byte for each leaf.</summary>
    public NativeBuffer<byte> Bounds { get; } = new();

    public NativeBuffer<byte> BoundTable { get; } = new();

    public NativeBuffer<uint> Candidates { get; } = new();

    public NativeBuffer<uint> OrderedCandidates { get; } = new();

    public NativeBuffer<BoundedList> BoundedLists { get; } = new();

    /// <summary>[spans, terms] The present leaves of each span, and how many maxima the list has before it.</summary>
    public NativeBuffer<ulong> SpanLeaves { get; } = new();

    public NativeBuffer<uint> SpanMaxima { get; } = new();

    /// <summary>The parts of the leaves that are scored next, waiting and located, and which terms one leaf has.</summary>
    public NativeBuffer<LeafPart> Parts { get; } = new();

    public NativeBuffer<int> PresentTerms { get; } = new();

    /// <summary>Documents that a search with a fixed floor found.</summary>
    public NativeBuffer<uint> Collected { get; } = new();

    /// <summary>Decoded terms of one document, as ranks.</summary>
    public NativeBuffer<uint> ForwardRanks { get; } = new();

    /// <summary>For each rank of a term its place in the query plus one, 0 between searches.</summary>
    public NativeBuffer<int> PlaceOfRank { get; } = new();

    /// <summary>After a search that failed half-way.</summary>
    public void Clear()
    {
        NativeMemory.Clear(Sums, SegmentFormat.WindowSize * sizeof(uint));
        NativeMemory.Clear(LeafSums, 64 * LeafScorer.RingSize * sizeof(uint));
        Heads.Dispose();
        PlaceOfRank.Dispose();
    }

    public void Dispose()
    {
        foreach (IDisposable buffer in (IDisposable[])[_sums, _scratch, _leafSums, _found, ShortIds, ShortProducts, ShortPlaces, ShortPostings, Heads, Bounds, BoundTable, Candidates, OrderedCandidates, BoundedLists, SpanLeaves, SpanMaxima, Parts, PresentTerms, Collected, ForwardRanks, PlaceOfRank])
        {
            buffer.Dispose();
        }
    }
}
