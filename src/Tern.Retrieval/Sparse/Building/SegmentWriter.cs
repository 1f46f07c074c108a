using System.Runtime.InteropServices;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>Writes the term table, the postings and the block maxima, list by list in ascending order of term.</summary>
internal sealed class SegmentWriter
{
    private readonly SectionFileWriter _writer;
    private readonly PostingListEncoder _lists;
    private readonly BlockMaximaEncoder _maxima;
    private readonly ByteBuffer _list = new();
    private readonly ByteBuffer _allMaxima = new();
    private readonly List<TermEntry> _terms = [];
    private readonly int[] _counts = new int[ImpactQuantizer.Largest + 1];
    private ulong _listByteCount;

    public SegmentWriter(SectionFileWriter writer, int documentCount, PostingLayout layout)
    {
        _writer = writer;
        _lists = new PostingListEncoder(documentCount, layout);
        _maxima = new BlockMaximaEncoder(documentCount);
        writer.Begin("postings");
    }

    public IReadOnlyList<TermEntry> Terms => _terms;

    public void Add(int term, ReadOnlySpan<uint> documents, ReadOnlySpan<byte> impacts)
    {
        TermEntry entry = Describe(term, impacts);
        entry.PostingOffset = _listByteCount;
        entry.MaximaOffset = (ulong)_allMaxima.Count;
        _terms.Add(entry);
        _list.Clear();
        _lists.Append(documents, impacts, _list);
        _writer.Append(_list.Written);
        _listByteCount += (ulong)_list.Count;
        if (entry.IsLong)
        {
            _maxima.Append(documents, impacts, _allMaxima);
        }
    }

    public void Complete()
    {
        _writer.Write("maxima", _allMaxima.Written);
        _writer.Write<TermEntry>("terms", CollectionsMarshal.AsSpan(_terms));
    }

    private TermEntry Describe(int term, ReadOnlySpan<byte> impacts)
    {
        Array.Clear(_counts);
        foreach (byte impact in impacts)
        {
            _counts[impact]++;
        }

        return new TermEntry
        {
            Term = term,
            DocumentFrequency = impacts.Length,
            LargestImpact = Kth(1),
            Impact10 = Kth(SegmentFormat.ThresholdCount(0)),
            Impact100 = Kth(SegmentFormat.ThresholdCount(1)),
            Impact1000 = Kth(SegmentFormat.ThresholdCount(2)),
        };
    }

    /// <summary>The k-th largest impact of those counted, 0 if there are fewer.</summary>
    private byte Kth(int k)
    {
        int impact = ImpactQuantizer.Largest;
        for (int above = _counts[impact]; above < k && impact > 0; above += _counts[impact])
        {
            impact--;
        }

        return (byte)impact;
    }
}
