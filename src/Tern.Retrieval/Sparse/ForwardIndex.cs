using System.Runtime.CompilerServices;
using Tern.Retrieval.Files;
using Tern.Retrieval.Kernels;

namespace Tern.Retrieval;

/// <summary>A view of the documents' vectors in a mapped segment, verified page by page as it is used. Safe for concurrent readers.</summary>
internal sealed unsafe class ForwardIndex
{
    private readonly SectionFile _file;
    private readonly Postings _postings;
    private readonly byte* _vectors;
    private readonly long _byteCount;
    private readonly ulong* _bases;
    private readonly uint* _offsets;
    private readonly int* _rowsByRank;
    private readonly PageGuard _guard;
    private readonly PageGuard _offsetGuard;
    private readonly Lazy<int[]> _rankOfRow;

    public ForwardIndex(SectionFile file, Postings postings)
    {
        _file = file;
        _postings = postings;
        int documentCount = postings.DocumentCount;
        file.Verify("fwdbase");
        file.Verify("fwdrow");
        _vectors = file.Pointer<byte>("forward", out _byteCount);
        _bases = file.Pointer<ulong>("fwdbase", ((long)documentCount + ForwardIndexWriter.DocumentsPerBase - 1) / ForwardIndexWriter.DocumentsPerBase);
        _offsets = file.Pointer<uint>("fwdoff", documentCount);
        _rowsByRank = file.Pointer<int>("fwdrow", postings.Parameters.TermCount);
        CheckRows();
        _guard = file.Guard("forward");
        _offsetGuard = file.Guard("fwdoff");
        _rankOfRow = new Lazy<int[]>(() =>
        {
            var ranks = new int[postings.Parameters.TermCount];
            for (int rank = 0; rank < ranks.Length; rank++)
            {
                ranks[_rowsByRank[rank]] = rank;
            }

            return ranks;
        });
    }

    /// <summary>The rank of each row of the term table by document frequency.</summary>
    public ReadOnlySpan<int> RankOfRow => _rankOfRow.Value;

    /// <summary>A document's vector as stored: quantised impacts times the scale, or the float32 weights.</summary>
    public SparseVector Vector(int document)
    {
        byte* at = Find(document, out int count);
        var ranks = new uint[count + SegmentFormat.GroupSize];
        var terms = new int[count];
        var weights = new float[count];
        bool isFloat = IsFloat;
        int groupCount = GapCodec.GroupCount(count);
        byte[] widths = new ReadOnlySpan<byte>(at, groupCount).ToArray();
        if (!isFloat)
        {
            foreach (ref byte width in widths.AsSpan())
            {
                width &= ForwardImpacts.GapWidthMask;
            }
        }

        byte* values = at + groupCount;
        fixed (uint* r = ranks)
        fixed (byte* w = widths)
        {
            uint before = uint.MaxValue;
            for (int done = 0; done < count; done += SegmentFormat.GroupSize)
            {
                int members = Math.Min(SegmentFormat.GroupSize, count - done);
                before = GapCodec.ReadGroup(values, members, w[done / SegmentFormat.GroupSize], before, r + done);
                values += GapCodec.ByteCount(members, w[done / SegmentFormat.GroupSize]);
            }
        }

        if (isFloat)
        {
            new ReadOnlySpan<byte>(values, count * sizeof(float)).CopyTo(System.Runtime.InteropServices.MemoryMarshal.AsBytes(weights.AsSpan()));
        }
        else
        {
            var impacts = new byte[count];
            ForwardImpacts.Read(at, values, impacts);
            for (int i = 0; i < count; i++)
            {
                weights[i] = impacts[i] * _postings.Parameters.ImpactScale;
            }
        }

        for (int i = 0; i < count; i++)
        {
            terms[i] = _postings.Entry(_rowsByRank[CheckRank(ranks[i], document)])->Term;
        }

        Array.Sort(terms, weights);
        try
        {
            return new SparseVector(terms, weights);
        }
        catch (ArgumentException e)
        {
            throw Invalid(document, e.Message);
        }
    }

    /// <summary>
    /// The float32 score of a document, of an index that keeps float32 weights: products added in the order of the query's terms. <paramref name="placeOfRank"/> says
    /// which place of <paramref name="found"/> each term has, plus one; <paramref name="places"/> which place each query term has.
    /// </summary>
    public float Score(int document, SearchKernels kernels, NativeBuffer<uint> scratch, int* placeOfRank, ReadOnlySpan<int> places, ReadOnlySpan<float> weights, Span<float> found)
    {
        byte* at = Find(document, out int count);
        uint* ranks = scratch.Ensure(count + SegmentFormat.GroupSize);
        int groupCount = GapCodec.GroupCount(count);
        kernels.DecodeGaps(at, at + groupCount, count, uint.MaxValue, ranks);
        byte* values = at + groupCount + GapCodec.PayloadByteCount(at, count);
        found.Clear();
        for (int i = 0; i < count; i++)
        {
            int place = placeOfRank[CheckRank(ranks[i], document)];
            if (place != 0)
            {
                found[place - 1] = Unsafe.ReadUnaligned<float>(values + (sizeof(float) * (long)i));
            }
        }

        float sum = 0f;
        for (int i = 0; i < places.Length; i++)
        {
            if (places[i] >= 0)
            {
                sum += weights[i] * found[places[i]];
            }
        }

        return !float.IsNaN(sum) ? sum : throw Invalid(document, "its weights are no numbers");
    }

    /// <summary>The widths of a document's ranks, all of its bytes verified and its parts known to fill them.</summary>
    private byte* Find(int document, out int count)
    {
        long start = Start(document);
        long end = document + 1 < _postings.DocumentCount ? Start(document + 1) : _byteCount;
        if (start < 0 || end < start || end > _byteCount)
        {
            throw Invalid(document, $"it reaches from {start} to {end} of {_byteCount} bytes");
        }

        _guard.Check(start, end - start);
        byte* at = _vectors + start;
        count = 0;
        for (int shift = 0; shift < 35 && start < end; shift += 7, start++)
        {
            byte part = *at++;
            count |= (part & 127) << shift;
            if (part < 128)
            {
                return Fills(at, count, _vectors + end) ? at : throw Invalid(document, $"{count} terms do not fill its {_vectors + end - at} bytes");
            }
        }

        throw Invalid(document, "its number of terms does not end");
    }

    private bool IsFloat => _postings.Precision == ImpactPrecision.Float32;

    /// <summary>Whether the groups that their headers announce, and the weights, are all there is up to the end.</summary>
    private bool Fills(byte* headers, int count, byte* end)
    {
        if (count < 0 || count > _postings.Parameters.TermCount || GapCodec.GroupCount(count) > end - headers)
        {
            return false;
        }

        long byteCount = GapCodec.GroupCount(count) + (IsFloat ? (long)sizeof(float) * count : 0);
        for (int done = 0; done < count; done += SegmentFormat.GroupSize)
        {
            byte header = headers[done / SegmentFormat.GroupSize];
            int members = Math.Min(SegmentFormat.GroupSize, count - done);
            if (IsFloat && header > 32)
            {
                return false;
            }

            byteCount += IsFloat ? GapCodec.ByteCount(members, header) : GapCodec.ByteCount(members, header & ForwardImpacts.GapWidthMask) + GapCodec.ByteCount(members, ForwardImpacts.Width(header));
        }

        return byteCount == end - headers;
    }

    private uint CheckRank(uint rank, int document) => rank < (uint)_postings.Parameters.TermCount ? rank : throw Invalid(document, $"rank {rank} of {_postings.Parameters.TermCount} terms");

    private void CheckRows()
    {
        var seen = new bool[_postings.Parameters.TermCount];
        for (int rank = 0; rank < seen.Length; rank++)
        {
            int row = _rowsByRank[rank];
            if ((uint)row >= (uint)seen.Length || seen[row])
            {
                throw _file.InvalidElement("fwdrow", $"rank {rank} has row {row} of {seen.Length}, or another has it too; build the index again");
            }

            seen[row] = true;
        }
    }

    private InvalidDataException Invalid(int document, string problem) => _file.InvalidElement("forward", $"the vector of document {document}: {problem}; build the index again");

    private long Start(int document)
    {
        _offsetGuard.Check((long)document * sizeof(uint), sizeof(uint));
        return (long)_bases[document / ForwardIndexWriter.DocumentsPerBase] + _offsets[document];
    }
}
