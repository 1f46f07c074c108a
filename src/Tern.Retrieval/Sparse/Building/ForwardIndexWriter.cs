using System.Runtime.InteropServices;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// Writes documents' vectors. Terms are ranked by descending document frequency, so that the gaps between a document's
/// ranks are small where most of them are.
/// </summary>
internal static class ForwardIndexWriter
{
    /// <summary>Documents that share an 8-byte start.</summary>
    public const int DocumentsPerBase = 64;

    public static void Write(SectionFileWriter writer, DocumentBuffer forward, IReadOnlyList<TermEntry> terms, int vocabularySize, ImpactPrecision precision, ImpactQuantizer quantizer, int[]? order)
    {
        int[] rowsByRank = RowsByRank(terms);
        var rankOfTerm = new uint[vocabularySize];
        for (int rank = 0; rank < rowsByRank.Length; rank++)
        {
            rankOfTerm[terms[rowsByRank[rank]].Term] = (uint)rank;
        }

        var bases = new List<ulong>();
        var offsets = new uint[forward.DocumentCount];
        var buffer = new ByteBuffer();
        ulong[] keys = [];
        uint[] ranks = [];
        float[] weights = [];
        Span<byte> impacts = stackalloc byte[SegmentFormat.GroupSize];
        ulong position = 0;
        writer.Begin("forward");
        for (int place = 0; place < forward.DocumentCount; place++)
        {
            int document = order is null ? place : order[place];
            ReadOnlySpan<int> documentTerms = forward.Terms(document);
            if (ranks.Length < documentTerms.Length)
            {
                keys = new ulong[2 * documentTerms.Length];
                ranks = new uint[2 * documentTerms.Length];
                weights = new float[2 * documentTerms.Length];
            }

            int count = documentTerms.Length;
            for (int i = 0; i < count; i++)
            {
                keys[i] = (ulong)rankOfTerm[documentTerms[i]] << 32;
            }

            ReadOnlySpan<float> documentWeights = forward.Weights(document);
            for (int i = 0; i < count; i++)
            {
                keys[i] |= BitConverter.SingleToUInt32Bits(documentWeights[i]);
            }

            keys.AsSpan(0, count).Sort();
            for (int i = 0; i < count; i++)
            {
                ranks[i] = (uint)(keys[i] >> 32);
                weights[i] = BitConverter.UInt32BitsToSingle((uint)keys[i]);
            }

            if (place % DocumentsPerBase == 0)
            {
                bases.Add(position);
            }

            offsets[place] = checked((uint)(position - bases[^1]));
            buffer.Clear();
            AppendCount(count, buffer);
            int headers = buffer.Count;
            GapCodec.Append(ranks.AsSpan(0, count), uint.MaxValue, buffer);
            if (precision == ImpactPrecision.Float32)
            {
                buffer.Append(MemoryMarshal.AsBytes(weights.AsSpan(0, count)));
            }
            else
            {
                for (int i = 0; i < count; i++)
                {
                    impacts[i % SegmentFormat.GroupSize] = quantizer.Quantize(weights[i]);
                    if (i % SegmentFormat.GroupSize == SegmentFormat.GroupSize - 1 || i == count - 1)
                    {
                        ForwardImpacts.Append(impacts[..((i % SegmentFormat.GroupSize) + 1)], headers + (i / SegmentFormat.GroupSize), buffer);
                    }
                }
            }

            writer.Append(buffer.Written);
            position += (ulong)buffer.Count;
        }

        writer.Write<ulong>("fwdbase", CollectionsMarshal.AsSpan(bases));
        writer.Write<uint>("fwdoff", offsets);
        writer.Write<int>("fwdrow", rowsByRank);
    }

    /// <summary>Seven bits a byte, the last one's high bit clear.</summary>
    private static void AppendCount(int count, ByteBuffer buffer)
    {
        for (; count >= 128; count >>= 7)
        {
            buffer.Append((byte)(count | 128));
        }

        buffer.Append((byte)count);
    }

    private static int[] RowsByRank(IReadOnlyList<TermEntry> terms)
    {
        var rows = new int[terms.Count];
        var keys = new (int, int)[terms.Count];
        for (int row = 0; row < rows.Length; row++)
        {
            rows[row] = row;
            keys[row] = (-terms[row].DocumentFrequency, row);
        }

        Array.Sort(keys, rows);
        return rows;
    }
}
