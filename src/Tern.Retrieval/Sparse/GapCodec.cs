using System.Buffers.Binary;
using System.Numerics;

namespace Tern.Retrieval;

/// <summary>
/// Ascending integers as gaps less one, in groups of 16 of one bit width: first the widths, a byte a group, then the groups,
/// values from the least bit up, each group beginning with a byte. This is the plain form; search kernels decode it by vectors.
/// </summary>
internal static class GapCodec
{
    /// <summary>Appends the ids, which must be ascending and greater than <paramref name="before"/>; −1 is before 0.</summary>
    public static void Append(ReadOnlySpan<uint> ids, uint before, ByteBuffer buffer)
    {
        int groupCount = GroupCount(ids.Length);
        int widthsAt = buffer.Count;
        buffer.Extend(groupCount);
        for (int group = 0; group < groupCount; group++)
        {
            ReadOnlySpan<uint> members = ids[(group * SegmentFormat.GroupSize)..Math.Min(ids.Length, (group + 1) * SegmentFormat.GroupSize)];
            uint all = 0;
            uint previous = before;
            foreach (uint id in members)
            {
                all |= id - previous - 1;
                previous = id;
            }

            int width = 32 - BitOperations.LeadingZeroCount(all);
            buffer.Set(widthsAt + group, (byte)width);
            Span<byte> packed = buffer.Extend(ByteCount(members.Length, width));
            int bit = 0;
            foreach (uint id in members)
            {
                ulong shifted = (ulong)(id - before - 1) << (bit & 7);
                for (int at = bit >> 3; shifted != 0; at++, shifted >>= 8)
                {
                    packed[at] |= (byte)shifted;
                }

                bit += width;
                before = id;
            }
        }
    }

    /// <summary>Reads <paramref name="count"/> ids and returns the byte after them; reads up to 8 bytes further.</summary>
    public static unsafe byte* Read(byte* source, int count, uint before, uint* ids)
    {
        byte* widths = source;
        byte* payload = source + GroupCount(count);
        for (int done = 0; done < count; done += SegmentFormat.GroupSize)
        {
            int members = Math.Min(SegmentFormat.GroupSize, count - done);
            int width = *widths++;
            before = ReadGroup(payload, members, width, before, ids + done);
            payload += ByteCount(members, width);
        }

        return payload;
    }

    /// <summary>One group; returns its last id.</summary>
    public static unsafe uint ReadGroup(byte* payload, int count, int width, uint before, uint* ids)
    {
        ulong mask = (1UL << width) - 1;
        for (int i = 0, bit = 0; i < count; i++, bit += width)
        {
            before += 1 + (uint)((BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(payload + (bit >> 3), 8)) >> (bit & 7)) & mask);
            ids[i] = before;
        }

        return before;
    }

    public static int GroupCount(int count) => (count + SegmentFormat.GroupSize - 1) / SegmentFormat.GroupSize;

    public static int ByteCount(int count, int width) => ((count * width) + 7) >> 3;

    /// <summary>Bytes of the groups that follow the widths.</summary>
    public static unsafe int PayloadByteCount(byte* widths, int count)
    {
        int bytes = 0;
        for (; count > SegmentFormat.GroupSize; count -= SegmentFormat.GroupSize)
        {
            bytes += 2 * *widths++;
        }

        return count > 0 ? bytes + ByteCount(count, *widths) : bytes;
    }
}
