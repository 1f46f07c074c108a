namespace Tern.Retrieval;

/// <summary>Encodes one term's postings as FORMAT.md says; documents ascending.</summary>
internal sealed class PostingListEncoder(int documentCount, PostingLayout layout)
{
    private const ushort BitmapFlag = 0x8000;

    private readonly int _windowCount = SegmentFormat.WindowCount(documentCount);
    private readonly uint[] _local = new uint[SegmentFormat.WindowSize];

    /// <summary>Appends the list to the buffer.</summary>
    public void Append(ReadOnlySpan<uint> documents, ReadOnlySpan<byte> impacts, ByteBuffer buffer)
    {
        if (documents.Length <= SegmentFormat.LongestShortList)
        {
            GapCodec.Append(documents, uint.MaxValue, buffer);
            buffer.Append(impacts);
            return;
        }

        int start = buffer.Count;
        buffer.Extend((_windowCount + 1) * sizeof(uint));
        for (int window = 0, from = 0; window < _windowCount; window++)
        {
            uint first = (uint)window << SegmentFormat.WindowShift;
            int to = from;
            while (to < documents.Length && documents[to] - first < SegmentFormat.WindowSize)
            {
                _local[to - from] = documents[to] - first;
                to++;
            }

            if (to > from)
            {
                AppendWindow(_local.AsSpan(0, to - from), buffer);
                buffer.Append(impacts[from..to]);
            }

            buffer.Set(start + ((window + 1) * sizeof(uint)), (uint)(buffer.Count - start));
            from = to;
        }

        // The first offset is where the offsets end.
        buffer.Set(start, (uint)((_windowCount + 1) * sizeof(uint)));
    }

    private void AppendWindow(ReadOnlySpan<uint> local, ByteBuffer buffer)
    {
        if (local.Length >= SegmentFormat.BitmapPostingCount)
        {
            buffer.Append((ushort)(BitmapFlag | (local.Length - 1)));
            AppendBitmap(local, buffer);
            return;
        }

        int start = buffer.Count;
        buffer.Append((ushort)(local.Length - 1));
        int blockCount = (local.Length + SegmentFormat.BlockSize - 1) / SegmentFormat.BlockSize;
        int skips = buffer.Count;
        buffer.Extend((blockCount - 1) * 2 * sizeof(ushort));
        uint before = uint.MaxValue;
        for (int block = 0; block < blockCount; block++)
        {
            ReadOnlySpan<uint> members = local[(block * SegmentFormat.BlockSize)..Math.Min(local.Length, (block + 1) * SegmentFormat.BlockSize)];
            if (block > 0)
            {
                int skip = skips + ((block - 1) * 2 * sizeof(ushort));
                buffer.Set(skip, (ushort)before);
                buffer.Set(skip + sizeof(ushort), checked((ushort)(buffer.Count - start)));
            }

            if (layout == PostingLayout.Packed)
            {
                GapCodec.Append(members, before, buffer);
            }
            else
            {
                foreach (uint id in members)
                {
                    buffer.Append((ushort)id);
                }
            }

            before = members[^1];
        }
    }

    private static void AppendBitmap(ReadOnlySpan<uint> local, ByteBuffer buffer)
    {
        Span<ulong> words = stackalloc ulong[SegmentFormat.WindowWordCount];
        Span<ushort> ranks = stackalloc ushort[WindowReader.RankCount];
        words.Clear();
        ranks.Clear();
        foreach (uint id in local)
        {
            words[(int)id >> 6] |= 1UL << (int)(id & 63);
            int span = (int)id >> SegmentFormat.SpanShift;
            if (span + 1 < ranks.Length)
            {
                ranks[span + 1]++;
            }
        }

        for (int i = 1; i < ranks.Length; i++)
        {
            ranks[i] += ranks[i - 1];
        }

        buffer.Append(System.Runtime.InteropServices.MemoryMarshal.AsBytes(words));
        buffer.Append(System.Runtime.InteropServices.MemoryMarshal.AsBytes(ranks));
    }
}
