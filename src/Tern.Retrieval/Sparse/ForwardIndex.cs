using System.Runtime.CompilerServices;
using Tern.Retrieval.Files;
using Tern.Retrieval.Kernels;

namespace Tern.Retrieval;

/// <summary>A view of the documents' vectors in a mapped segment, verified page by page as it is used. Safe for concurrent readers.</summary>
internal sealed unsafe class ForwardIndex
{
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
        _postings = postings;
        int documentCount = postings.DocumentCount;
        file.Verify("fwdbase");
        file.Verify("fwdrow");
        _vectors = file.Pointer<byte>("forward", out _byteCount);
        _bases = file.Pointer<ulong>("fwdbase", ((long)documentCount + ForwardIndexWriter.DocumentsPerBase - 1) / ForwardIndexWriter.DocumentsPerBase);
        _offsets = file.Pointer<uint>("fwdoff", documentCount);
        _rowsByRank = file.Pointer<int>("fwdrow", postings.Parameters.TermCount);
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
        bool isFloat = _postings.Precision == ImpactPrecision.Float32;
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
            terms[i] = _postings.Entry(_rowsByRank[ranks[i]])->Term;
        }

        Array.Sort(terms, weights);
        return new SparseVector(terms, weights);
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
            int place = placeOfRank[ranks[i]];
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

        return sum;
    }

    /// <summary>The widths of a document's ranks, all of its bytes verified.</summary>
    private byte* Find(int document, out int count)
    {
        long start = Start(document);
        long end = document + 1 < _postings.DocumentCount ? Start(document + 1) : _byteCount;
        _guard.Check(start, end - start);
        byte* at = _vectors + start;
        count = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte part = *at++;
            count |= (part & 127) << shift;
            if (part < 128)
            {
                return at;
            }
        }
    }

    private long Start(int document)
    {
        _offsetGuard.Check((long)document * sizeof(uint), sizeof(uint));
        return (long)_bases[document / ForwardIndexWriter.DocumentsPerBase] + _offsets[document];
    }
}
