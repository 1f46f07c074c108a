using System.Runtime.InteropServices;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>Writes the term table, the postings and the block maxima, list by list in ascending order of term.</summary>
internal sealed class SegmentWriter : IDisposable
{
    // Maxima follow the lists in the file; more than this many bytes of them wait in another file, where there is one.
    private const int MostMaximaInMemory = 4 << 20;

    private readonly SectionFileWriter _writer;
    private readonly PostingListEncoder _lists;
    private readonly BlockMaximaEncoder _maxima;
    private readonly ByteBuffer _list = new();
    private readonly ByteBuffer _allMaxima = new();
    private readonly List<TermEntry> _terms = [];
    private readonly int[] _counts = new int[ImpactQuantizer.Largest + 1];
    private readonly FileStream? _spilledMaxima;
    private ulong _listByteCount;
    private ulong _spilledByteCount;

    /// <param name="spillPath">A temporary file for block maxima; null keeps them in memory.</param>
    public SegmentWriter(SectionFileWriter writer, int documentCount, PostingLayout layout, string? spillPath = null)
    {
        _spilledMaxima = spillPath is null ? null : new FileStream(spillPath, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 0, FileOptions.DeleteOnClose);
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
        entry.MaximaOffset = _spilledByteCount + (ulong)_allMaxima.Count;
        _terms.Add(entry);
        _list.Clear();
        _lists.Append(documents, impacts, _list);
        _writer.Append(_list.Written);
        _listByteCount += (ulong)_list.Count;
        if (entry.IsLong)
        {
            _maxima.Append(documents, impacts, _allMaxima);
        }

        if (_spilledMaxima is not null && _allMaxima.Count > MostMaximaInMemory)
        {
            _spilledMaxima.Write(_allMaxima.Written);
            _spilledByteCount += (ulong)_allMaxima.Count;
            _allMaxima.Clear();
        }
    }

    public void Complete()
    {
        _writer.Begin("maxima");
        if (_spilledMaxima is not null)
        {
            _spilledMaxima.Position = 0;
            var piece = new byte[1 << 20];
            for (int count; (count = _spilledMaxima.Read(piece)) > 0;)
            {
                _writer.Append<byte>(piece.AsSpan(0, count));
            }
        }

        _writer.Append(_allMaxima.Written);
        _writer.Write<TermEntry>("terms", CollectionsMarshal.AsSpan(_terms));
    }

    public void Dispose() => _spilledMaxima?.Dispose();

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
