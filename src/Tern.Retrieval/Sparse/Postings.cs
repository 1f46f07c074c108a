using Tern.Retrieval.Files;
using Tern.Retrieval.Kernels;

namespace Tern.Retrieval;

/// <summary>
/// A view of a mapped segment: what search algorithms read. The tables are checked when it opens, lists and maxima page
/// by page when a query first uses them. Safe for concurrent readers.
/// </summary>
internal sealed unsafe class Postings
{
    // A table of the rows of all term ids, where it is not much larger than the terms are many: one look instead of a search.
    private const int TableOverhead = 1 << 16;

    private readonly TermEntry* _terms;
    private readonly int[] _rowOfTerm;
    private readonly byte* _lists;
    private readonly byte* _maxima;
    private readonly long _listByteCount;
    private readonly long _maximaByteCount;
    private readonly PageGuard _listGuard;
    private readonly PageGuard _maximaGuard;

    public Postings(SectionFile file)
    {
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

        _terms = file.Pointer<TermEntry>("terms", p.TermCount);
        Ranks = file.Pointer<int>("idrank", p.DocumentCount);
        _lists = file.Pointer<byte>("postings", out _listByteCount);
        _maxima = file.Pointer<byte>("maxima", out _maximaByteCount);
        _listGuard = file.Guard("postings");
        _maximaGuard = file.Guard("maxima");
        WindowCount = SegmentFormat.WindowCount(p.DocumentCount);
        SpanCount = SegmentFormat.SpanCount(p.DocumentCount);
        _rowOfTerm = p.VocabularySize <= (8L * p.TermCount) + TableOverhead && p.TermCount > 0 ? TableOfRows(file) : [];
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

    /// <summary>The first byte of a list, all of it verified.</summary>
    public byte* List(int row)
    {
        long start = (long)_terms[row].PostingOffset;
        _listGuard.Check(start, ListEnd(row) - start);
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

    public long ListByteCount(int row) => ListEnd(row) - (long)_terms[row].PostingOffset;

    /// <summary>The block maxima of a long list, all of them verified.</summary>
    public BlockMaxima Maxima(int row)
    {
        long start = (long)_terms[row].MaximaOffset;
        long end = row + 1 < Parameters.TermCount ? (long)_terms[row + 1].MaximaOffset : _maximaByteCount;
        _maximaGuard.Check(start, end - start);
        return new BlockMaxima(_maxima + start, SpanCount);
    }

    /// <summary>In how many documents a term occurs.</summary>
    public int DocumentFrequency(int term) => Find(term) is var row and >= 0 ? _terms[row].DocumentFrequency : 0;

    private int[] TableOfRows(SectionFile file)
    {
        var table = new int[Parameters.VocabularySize];
        Array.Fill(table, -1);
        for (int row = 0; row < Parameters.TermCount; row++)
        {
            int term = _terms[row].Term;
            if ((uint)term >= (uint)table.Length)
            {
                throw file.InvalidElement("terms", $"row {row} has term {term} of a vocabulary of {table.Length}; build the index again");
            }

            table[term] = row;
        }

        return table;
    }

    private long ListEnd(int row) => row + 1 < Parameters.TermCount ? (long)_terms[row + 1].PostingOffset : _listByteCount;
}
