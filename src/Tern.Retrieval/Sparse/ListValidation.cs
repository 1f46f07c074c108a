using System.Numerics;
using System.Runtime.CompilerServices;
using Tern.Retrieval.Kernels;

namespace Tern.Retrieval;

/// <summary>
/// Whether the structure of a list or of its block maxima is one that a writer writes: every count, offset, width and id
/// in range. Search kernels read them without a question, so each is checked when it is first used: a checksum says that bytes
/// are those that were written, not that a sound program wrote them.
/// </summary>
internal static unsafe class ListValidation
{
    // Gaps of 32-bit ids, and of ids within a window.
    private const int WidestGap = 32;
    private const int WidestWindowGap = SegmentFormat.WindowShift;

    /// <summary>What is wrong with a short list, or null.</summary>
    public static string? OfShort(byte* list, long byteCount, int count, int documentCount)
    {
        int groupCount = GapCodec.GroupCount(count);
        if (byteCount < groupCount + count)
        {
            return $"{count} postings in {byteCount} bytes";
        }

        if (WidestOf(list, groupCount) > WidestGap || groupCount + (long)GapCodec.PayloadByteCount(list, count) + count != byteCount)
        {
            return $"widths of {count} postings that do not fill {byteCount} bytes";
        }

        // Plainly and in 64 bits, since sums of wide gaps may pass 32.
        byte* payload = list + groupCount;
        long last = -1;
        for (int done = 0; done < count; done += SegmentFormat.GroupSize)
        {
            int members = Math.Min(SegmentFormat.GroupSize, count - done);
            int width = *list++;
            long before = last;
            for (int i = 0, bit = 0; i < members; i++, bit += width)
            {
                last += 1 + (long)((Unsafe.ReadUnaligned<ulong>(payload + (bit >> 3)) >> (bit & 7)) & ((1UL << width) - 1));
            }

            payload += GapCodec.ByteCount(members, width);
            if (last >= documentCount)
            {
                return $"document {last} of {documentCount} after {before}";
            }
        }

        return null;
    }

    /// <summary>
    /// What is wrong with a long list, or null. <paramref name="leaves"/>, [spans] or empty, gets a bit for each leaf that has postings.
    /// </summary>
    public static string? OfLong(byte* list, long byteCount, int count, int documentCount, PostingLayout layout, Span<ulong> leaves)
    {
        int windowCount = SegmentFormat.WindowCount(documentCount);
        long head = (windowCount + 1L) * sizeof(uint);
        var offsets = (uint*)list;
        if (byteCount < head || offsets[0] != head || offsets[windowCount] != byteCount)
        {
            return $"{windowCount} windows that do not fill {byteCount} bytes";
        }

        for (int window = 0; window < windowCount; window++)
        {
            if (offsets[window] > offsets[window + 1])
            {
                return $"window {window} ends before it begins";
            }
        }

        long total = 0;
        uint* ids = stackalloc uint[SegmentFormat.BlockSize + SegmentFormat.GroupSize];
        for (int window = 0; window < windowCount; window++)
        {
            uint byteCountOfWindow = offsets[window + 1] - offsets[window];
            if (byteCountOfWindow > 0)
            {
                int firstSpan = window * WindowReader.RankCount;
                int limit = Math.Min(SegmentFormat.WindowSize, documentCount - (window << SegmentFormat.WindowShift));
                Span<ulong> part = leaves.IsEmpty ? default : leaves.Slice(firstSpan, Math.Min(WindowReader.RankCount, leaves.Length - firstSpan));
                int found = Window(list + offsets[window], (int)Math.Min(byteCountOfWindow, int.MaxValue), limit, layout, ids, part);
                if (found < 0)
                {
                    return $"window {window} with {byteCountOfWindow} bytes is none";
                }

                total += found;
            }
        }

        return total == count ? null : $"{total} postings where {count} belong";
    }

    /// <summary>What is wrong with the block maxima of a long list that has these leaves, or null.</summary>
    public static string? OfMaxima(byte* maxima, long byteCount, ReadOnlySpan<ulong> leaves)
    {
        int wordCount = (leaves.Length + 31) >> 5;
        long head = ((wordCount * (long)sizeof(MaximaWord)) + 7) & ~7L;
        if (byteCount < head)
        {
            return $"{byteCount} bytes for {leaves.Length} spans";
        }

        var words = (MaximaWord*)maxima;
        var present = (ulong*)(maxima + head);
        uint spanCount = 0, maximumCount = 0;
        for (int word = 0; word < wordCount; word++)
        {
            if (words[word].SpansBefore != spanCount || words[word].MaximaBefore != maximumCount)
            {
                return $"word {word} does not count what is before it";
            }

            for (int bit = 0; bit < 32; bit++)
            {
                int span = (32 * word) + bit;
                ulong expected = span < leaves.Length ? leaves[span] : 0;
                if (((words[word].Presence >> bit) & 1) != (expected != 0 ? 1u : 0u))
                {
                    return $"span {span} is {(expected != 0 ? "missing" : "there without postings")}";
                }

                if (expected != 0)
                {
                    if (head + ((spanCount + 1L) * sizeof(ulong)) > byteCount || present[spanCount] != expected)
                    {
                        return $"the leaves of span {span} are not those of its postings";
                    }

                    spanCount++;
                    maximumCount += (uint)BitOperations.PopCount(expected);
                }
            }
        }

        return head + (spanCount * (long)sizeof(ulong)) + maximumCount <= byteCount ? null : $"{maximumCount} maxima do not fit {byteCount} bytes";
    }

    /// <summary>The postings of a window, −1 where it is none.</summary>
    private static int Window(byte* start, int byteCount, int limit, PostingLayout layout, uint* ids, Span<ulong> leaves)
    {
        if (byteCount < sizeof(ushort))
        {
            return -1;
        }

        var window = new WindowReader(start, start + byteCount);
        if (window.IsBitmap)
        {
            return byteCount == sizeof(ushort) + (SegmentFormat.WindowWordCount * sizeof(ulong)) + (WindowReader.RankCount * sizeof(ushort)) + window.Count && IsBitmap(window, limit, leaves) ? window.Count : -1;
        }

        int at = sizeof(ushort) + ((window.BlockCount - 1) * 2 * sizeof(ushort));
        int end = byteCount - window.Count;
        uint last = uint.MaxValue;
        for (int block = 0; block < window.BlockCount; block++)
        {
            if (at > end || (block > 0 && (window.Skips[block - 1] & 0xFFFF) != last) || (block > 0 && window.Skips[block - 1] >> 16 != at))
            {
                return -1;
            }

            int count = window.BlockLength(block);
            int byteCountOfBlock = BlockByteCount(start + at, end - at, count, layout);
            if (byteCountOfBlock < 0)
            {
                return -1;
            }

            Decode(start + at, count, last, layout, ids);
            for (int i = 0; i < count; i++)
            {
                // Unsigned, so that the number before the first, which is −1, is below every id.
                if (ids[i] >= (uint)limit || ids[i] + 1 <= last + 1)
                {
                    return -1;
                }

                last = ids[i];
                if (!leaves.IsEmpty)
                {
                    leaves[(int)last >> SegmentFormat.SpanShift] |= 1UL << (int)((last >> SegmentFormat.LeafShift) & 63);
                }
            }

            at += byteCountOfBlock;
        }

        return at == end ? window.Count : -1;
    }

    private static int BlockByteCount(byte* block, int most, int count, PostingLayout layout)
    {
        int groupCount = GapCodec.GroupCount(count);
        int byteCount = layout == PostingLayout.Raw ? count * sizeof(ushort)
            : most < groupCount || WidestOf(block, groupCount) > WidestWindowGap ? int.MaxValue
            : groupCount + GapCodec.PayloadByteCount(block, count);
        return byteCount <= most ? byteCount : -1;
    }

    private static void Decode(byte* block, int count, uint before, PostingLayout layout, uint* ids)
    {
        if (layout == PostingLayout.Packed)
        {
            SearchKernels.Current.DecodeGaps(block, block + GapCodec.GroupCount(count), count, before, ids);
            return;
        }

        for (int i = 0; i < count; i++)
        {
            ids[i] = Unsafe.ReadUnaligned<ushort>(block + (i * sizeof(ushort)));
        }
    }

    private static bool IsBitmap(in WindowReader window, int limit, Span<ulong> leaves)
    {
        int before = 0;
        for (int word = 0; word < SegmentFormat.WindowWordCount; word++)
        {
            if (word % 16 == 0 && window.Ranks[word / 16] != before)
            {
                return false;
            }

            ulong bits = window.Words[word];
            before += BitOperations.PopCount(bits);
            if (bits != 0 && (64 * word) + 63 - BitOperations.LeadingZeroCount(bits) >= limit)
            {
                return false;
            }

            for (int leaf = 0; leaf < 4 && !leaves.IsEmpty && bits != 0; leaf++)
            {
                leaves[word / 16] |= (bits >> (16 * leaf) & 0xFFFF) != 0 ? 1UL << ((4 * (word % 16)) + leaf) : 0;
            }
        }

        return before == window.Count;
    }

    private static int WidestOf(byte* widths, int count)
    {
        int widest = 0;
        for (int i = 0; i < count; i++)
        {
            widest = Math.Max(widest, widths[i]);
        }

        return widest;
    }
}
