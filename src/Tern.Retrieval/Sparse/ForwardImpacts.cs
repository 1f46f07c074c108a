using System.Numerics;

namespace Tern.Retrieval;

/// <summary>
/// The impacts of a document's terms, in the groups of their ranks: each less one, in as many bits as the group's largest needs, 1 to 8.
/// The three upper bits of a group's header, whose lower five are the width of its ranks' gaps, hold that number less one.
/// </summary>
internal static unsafe class ForwardImpacts
{
    public const int GapWidthMask = 31;

    private const int HeaderShift = 5;

    /// <summary>Appends a group whose header was written with the gaps' width.</summary>
    public static void Append(ReadOnlySpan<byte> impacts, int headerAt, ByteBuffer buffer)
    {
        int all = 1;
        foreach (byte impact in impacts)
        {
            all |= impact - 1;
        }

        int width = 32 - BitOperations.LeadingZeroCount((uint)all);
        buffer.Set(headerAt, (byte)(buffer.Written[headerAt] | ((width - 1) << HeaderShift)));
        Span<byte> packed = buffer.Extend(GapCodec.ByteCount(impacts.Length, width));
        for (int i = 0, bit = 0; i < impacts.Length; i++, bit += width)
        {
            int shifted = (impacts[i] - 1) << (bit & 7);
            packed[bit >> 3] |= (byte)shifted;
            if (shifted > 255)
            {
                packed[(bit >> 3) + 1] |= (byte)(shifted >> 8);
            }
        }
    }

    /// <summary>Bits of each impact of a group.</summary>
    public static int Width(byte header) => (header >> HeaderShift) + 1;

    /// <summary>Reads the impacts of all groups; reads up to a byte further.</summary>
    public static void Read(byte* headers, byte* source, Span<byte> impacts)
    {
        for (int done = 0; done < impacts.Length; done += SegmentFormat.GroupSize)
        {
            int width = Width(*headers++);
            int count = Math.Min(SegmentFormat.GroupSize, impacts.Length - done);
            for (int i = 0, bit = 0; i < count; i++, bit += width)
            {
                int two = source[bit >> 3] | (source[(bit >> 3) + 1] << 8);
                impacts[done + i] = (byte)(((two >> (bit & 7)) & ((1 << width) - 1)) + 1);
            }

            source += GapCodec.ByteCount(count, width);
        }
    }
}
