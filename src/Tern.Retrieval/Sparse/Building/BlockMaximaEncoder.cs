using System.Numerics;

namespace Tern.Retrieval;

/// <summary>
/// Encodes the block maxima of one long list: for every 32 spans of 64 leaves which are present, with the numbers of spans
/// and maxima before them; for every present span its leaves as bits; for every present leaf the largest impact.
/// </summary>
internal sealed class BlockMaximaEncoder(int documentCount)
{
    private readonly ulong[] _leaves = new ulong[SegmentFormat.SpanCount(documentCount)];
    private readonly List<byte> _maxima = [];

    public void Append(ReadOnlySpan<uint> documents, ReadOnlySpan<byte> impacts, ByteBuffer buffer)
    {
        Array.Clear(_leaves);
        _maxima.Clear();
        for (int i = 0; i < documents.Length;)
        {
            uint leaf = documents[i] >> SegmentFormat.LeafShift;
            byte largest = 0;
            for (; i < documents.Length && documents[i] >> SegmentFormat.LeafShift == leaf; i++)
            {
                largest = Math.Max(largest, impacts[i]);
            }

            _leaves[leaf >> 6] |= 1UL << (int)(leaf & 63);
            _maxima.Add(Maximum(largest));
        }

        uint spanCount = 0;
        uint maximumCount = 0;
        for (int first = 0; first < _leaves.Length; first += 32)
        {
            uint presence = 0;
            uint maximaBefore = maximumCount;
            for (int span = first; span < Math.Min(first + 32, _leaves.Length); span++)
            {
                presence |= _leaves[span] != 0 ? 1u << (span - first) : 0;
                maximumCount += (uint)BitOperations.PopCount(_leaves[span]);
            }

            buffer.Append(new MaximaWord { Presence = presence, SpansBefore = spanCount, MaximaBefore = maximaBefore });
            spanCount += (uint)BitOperations.PopCount(presence);
        }

        buffer.Align(sizeof(ulong));
        foreach (ulong leaves in _leaves)
        {
            if (leaves != 0)
            {
                buffer.Append(leaves);
            }
        }

        buffer.Append(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_maxima));
        buffer.Align(sizeof(ulong));
    }

    /// <summary>Seven bits, rounded up: 127 stands for 255.</summary>
    public static byte Maximum(byte impact) => (byte)(((impact * SegmentFormat.LargestMaximum) + ImpactQuantizer.Largest - 1) / ImpactQuantizer.Largest);
}
