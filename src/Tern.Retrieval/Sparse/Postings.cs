using System.Buffers;
using Tern.Retrieval.Files;
using Tern.Retrieval.Kernels;

namespace Tern.Retrieval;

/// <summary>
/// A view of a mapped segment: what search algorithms read. The tables are checked when it opens, each list and its maxima,
/// pages and structure, when a query first uses them. Safe for concurrent readers.
/// </summary>
internal sealed unsafe class Postings
{
    // A table of the rows of all term ids, where it is not much larger than the terms are many: one look instead of a search.
    private const int TableOverhead = 1 << 16;

    // Of a table before a list so much is asked for at once.
    private const int FetchedByteCount = 512;

    private readonly TermEntry* _terms;
    private readonly int[] _rowOfTerm;
    private readonly byte* _lists;
    private readonly byte* _maxima;
    private readonly long _listByteCount;
    private readonly long _maximaByteCount;
    private readonly PageGuard _listGuard;
    private readonly PageGuard _maximaGuard;
    private readonly SectionFile _file;
    private readonly OnceFlags _checkedLists;
    private readonly OnceFlags _checkedMaxima;

    public Postings(SectionFile file)
    {
        _file = file;
        file.Verify("params");
        file.Verify("terms");
        Parameters = *file.Pointer<SegmentParameters>("params", 1);
        SegmentParameters p = Parameters;
        if (p.WindowSize != SegmentFormat.WindowSize || p.LeafSize != SegmentFormat.LeafSize || p.LongestShortList != SegmentFormat.LongestShortList
            || p.Precision is not ((int)ImpactPrecision.Byte or (int)ImpactPrecision.Float32) || p.Layout is not ((int)PostingLayout.Packed or (int)PostingLayout.Raw)
            || p.ForwardCode is not (0 or SegmentFormat.ForwardCode))
        {
            throw file.InvalidElement("params", $"windows of {p.WindowSize} and leaves of {p.LeafSize} documents, lists called short up to {p.LongestShortList} postings, precision {p.Precision}, layout {p.Layout}, vectors of code {p.ForwardCode} are of another version; build the index again");
        }

        if (p.DocumentCount < 0 || p.VocabularySize < 0 || p.TermCount < 0 || p.TermCount > p.VocabularySize || p.PostingCount < 0 || (p.PostingCount > 0 && !(p.ImpactScale > 0)) || float.IsInfinity(p.ImpactScale))
        {
            throw file.InvalidElement("params", $"{p.DocumentCount} documents, {p.TermCount} of {p.VocabularySize} terms, {p.PostingCount} postings, scale {p.ImpactScale} cannot be; build the index again");
        }

        _terms = file.Pointer<TermEntry>("terms", p.TermCount);
        Ranks = file.Pointer<int>("idrank", p.DocumentCount);
        _lists = file.Pointer<byte>("postings", out _listByteCount);
        _maxima = file.Pointer<byte>("maxima", out _maximaByteCount);
        _listGuard = file.Guard("postings");
        _maximaGuard = file.Guard("maxima");
        CheckTerms();
        _checkedLists = new OnceFlags(p.TermCount);
        _checkedMaxima = new OnceFlags(p.TermCount);
        WindowCount = SegmentFormat.WindowCount(p.DocumentCount);
        SpanCount = SegmentFormat.SpanCount(p.DocumentCount);
        _rowOfTerm = p.VocabularySize <= (8L * p.TermCount) + TableOverhead && p.TermCount > 0 ? TableOfRows() : [];
    }

    public SegmentParameters Parameters { get; }

    public ImpactPrecision Precision => (ImpactPrecision)Parameters.Precision;

    public PostingLayout Layout => (PostingLayout)Parameters.Layout;

    public int DocumentCount => Parameters.DocumentCount;

    public int WindowCount { get; }

    /// <summary>Spans of 64 leaves.</summary>
    public int SpanCount { get; }

    /// <summary>What the planner has learnt from searches of this segment.</summary>
    public PlannerHistory History { get; } = new();

    /// <summary>Rank of each document's external id, ascending by bytes: the larger wins a tie.</summary>
    public int* Ranks { get; }

    public ReadOnlySpan<TermEntry> Terms => new(_terms, Parameters.TermCount);

    /// <summary>The row of a term, or −1 for a term that no document has.</summary>
    public int Find(int term)
    {
        if (_rowOfTerm.Length > 0)
        {
            return (uint)term < (uint)_rowOfTerm.Length ? _rowOfTerm[term] : -1;
        }

        int low = 0;
        for (int high = Parameters.TermCount - 1; low <= high;)
        {
            int middle = low + ((high - low) >> 1);
            int found = _terms[middle].Term;
            if (found == term)
            {
                return middle;
            }

            (low, high) = found < term ? (middle + 1, high) : (low, middle - 1);
        }

        return -1;
    }

    public TermEntry* Entry(int row) => _terms + row;

    /// <summary>The first byte of a list, all of it verified and known to be well formed.</summary>
    public byte* List(int row)
    {
        long start = (long)_terms[row].PostingOffset;
        _listGuard.Check(start, ListEnd(row) - start);
        if (!_checkedLists.IsSet(row))
        {
            CheckList(row, default);
        }

        return _lists + start;
    }

    /// <summary>Asks for the parts of a short list before it is read: no processor foresees where in the file the next one lies.</summary>
    public void PrefetchShortList(int row)
    {
        byte* start = _lists + _terms[row].PostingOffset;
        int count = _terms[row].DocumentFrequency;
        for (byte* line = start; line < start + count; line += Cache.LineSize)
        {
            Cache.Prefetch(line);
        }
    }

    /// <summary>Asks for what a search reads first of a long list and its maxima: where each window begins, which spans have postings.</summary>
    public void PrefetchLongList(int row)
    {
        byte* offsets = _lists + _terms[row].PostingOffset;
        Cache.Prefetch(offsets, offsets + Math.Min(FetchedByteCount, (WindowCount + 1) * sizeof(uint)));
        byte* words = _maxima + _terms[row].MaximaOffset;
        Cache.Prefetch(words, words + Math.Min(FetchedByteCount, ((SpanCount + 31) >> 5) * sizeof(MaximaWord)));
    }

    public long ListByteCount(int row) => ListEnd(row) - (long)_terms[row].PostingOffset;

    /// <summary>The block maxima of a long list, all of them verified and known to be those of its leaves.</summary>
    public BlockMaxima Maxima(int row)
    {
        long start = (long)_terms[row].MaximaOffset;
        long end = row + 1 < Parameters.TermCount ? (long)_terms[row + 1].MaximaOffset : _maximaByteCount;
        _maximaGuard.Check(start, end - start);
        if (!_checkedMaxima.IsSet(row))
        {
            CheckMaxima(row, start, end - start);
        }

        return new BlockMaxima(_maxima + start, SpanCount);
    }

    /// <summary>In how many documents a term occurs.</summary>
    public int DocumentFrequency(int term) => Find(term) is var row and >= 0 ? _terms[row].DocumentFrequency : 0;

    private int[] TableOfRows()
    {
        var table = new int[Parameters.VocabularySize];
        Array.Fill(table, -1);
        for (int row = 0; row < Parameters.TermCount; row++)
        {
            table[_terms[row].Term] = row;
        }

        return table;
    }

    private void CheckTerms()
    {
        long postings = 0, previous = -1;
        ulong lists = 0, maxima = 0;
        for (int row = 0; row < Parameters.TermCount; row++)
        {
            TermEntry* entry = _terms + row;
            if (entry->Term <= previous || entry->Term >= Parameters.VocabularySize || entry->DocumentFrequency < 1 || entry->DocumentFrequency > Parameters.DocumentCount
                || entry->PostingOffset < lists || entry->PostingOffset > (ulong)_listByteCount || entry->MaximaOffset < maxima || entry->MaximaOffset > (ulong)_maximaByteCount)
            {
                throw _file.Invalid("terms", _file.Place("terms").Offset + (row * (long)sizeof(TermEntry)), $"row {row}, term {entry->Term} in {entry->DocumentFrequency} documents, does not fit the lists; build the index again");
            }

            (previous, lists, maxima) = (entry->Term, entry->PostingOffset, entry->MaximaOffset);
            postings += entry->DocumentFrequency;
        }

        if (postings != Parameters.PostingCount)
        {
            throw _file.InvalidElement("terms", $"{postings} postings where {Parameters.PostingCount} belong; build the index again");
        }
    }

    private void CheckList(int row, Span<ulong> leaves)
    {
        TermEntry* entry = _terms + row;
        byte* list = _lists + entry->PostingOffset;
        string? problem = entry->IsLong
            ? ListValidation.OfLong(list, ListByteCount(row), entry->DocumentFrequency, DocumentCount, Layout, leaves)
            : ListValidation.OfShort(list, ListByteCount(row), entry->DocumentFrequency, DocumentCount);
        if (problem is not null)
        {
            throw _file.Invalid("postings", _file.Place("postings").Offset + (long)entry->PostingOffset, $"the list of term {entry->Term}: {problem}; build the index again");
        }

        _checkedLists.Set(row);
    }

    private void CheckMaxima(int row, long start, long byteCount)
    {
        // Where postings are is known from the list alone.
        ulong[] leaves = ArrayPool<ulong>.Shared.Rent(SpanCount);
        try
        {
            Span<ulong> used = leaves.AsSpan(0, SpanCount);
            used.Clear();
            List(row);
            CheckList(row, used);
            if (ListValidation.OfMaxima(_maxima + start, byteCount, used) is { } problem)
            {
                throw _file.Invalid("maxima", _file.Place("maxima").Offset + start, $"those of term {_terms[row].Term}: {problem}; build the index again");
            }
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(leaves);
        }

        _checkedMaxima.Set(row);
    }

    private long ListEnd(int row) => row + 1 < Parameters.TermCount ? (long)_terms[row + 1].PostingOffset : _listByteCount;
}
