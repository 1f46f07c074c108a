namespace Tern.Retrieval;

/// <summary>A segment as one commit sees it: which of its documents are deleted, and where its ordinals begin.</summary>
internal sealed class SegmentView(Segment segment, DeletedDocuments deleted, int first)
{
    public Segment Segment { get; } = segment;

    public DeletedDocuments Deleted { get; } = deleted;

    /// <summary>The index's ordinal of the segment's document 0.</summary>
    public int First { get; } = first;

    /// <summary>The documents that are not deleted; null when all are there, so that a search has nothing to test.</summary>
    public DocumentFilter? Live { get; } = deleted.Live();

    /// <summary>The part of a filter over the whole index that is about this segment's live documents.</summary>
    public DocumentFilter Part(DocumentFilter filter)
    {
        ReadOnlySpan<ulong> all = filter.Words.Span;
        var bits = new ulong[DocumentFilter.WordCount(Segment.DocumentCount)];
        int shift = First & 63;
        for (int i = 0; i < bits.Length; i++)
        {
            int word = (First >> 6) + i;
            ulong low = word < all.Length ? all[word] >> shift : 0;
            ulong high = shift > 0 && word + 1 < all.Length ? all[word + 1] << (64 - shift) : 0;
            bits[i] = low | high;
        }

        if (Segment.DocumentCount % 64 != 0)
        {
            bits[^1] &= (1UL << (Segment.DocumentCount % 64)) - 1;
        }

        if (Live is not null)
        {
            ReadOnlySpan<ulong> live = Live.Words.Span;
            for (int i = 0; i < bits.Length; i++)
            {
                bits[i] &= live[i];
            }
        }

        return new DocumentFilter(Segment.DocumentCount, bits);
    }
}
