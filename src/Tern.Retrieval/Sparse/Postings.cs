using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// A view of a mapped segment: what search algorithms read. For each present term a list of runs, one for each window of
/// 16,384 documents that has it; for each run the postings, window-local document ids ascending beside their impacts.
/// </summary>
internal sealed unsafe class Postings
{
    // What Open always checks; the postings and the forward index are the bulk and have their own decision.
    private static readonly string[] Tables = ["params", "terms", "termruns", "runwin", "runstart", "fwdstart"];

    private readonly int* _terms;
    private readonly int* _termRuns;

    public Postings(SectionFile file)
    {
        Array.ForEach(Tables, file.Verify);
        Parameters = *file.Pointer<SegmentParameters>("params", 1);
        SegmentParameters p = Parameters;
        if (p.WindowSize != SegmentFormat.WindowSize || p.Precision is not ((int)ImpactPrecision.Byte or (int)ImpactPrecision.Float32))
        {
            throw file.InvalidElement("params", $"windows of {p.WindowSize} documents at precision {p.Precision} are of another version; build the index again");
        }

        _terms = file.Pointer<int>("terms", p.TermCount);
        _termRuns = file.Pointer<int>("termruns", (long)p.TermCount + 1);
        RunWindows = file.Pointer<int>("runwin", p.RunCount);
        RunStarts = file.Pointer<ulong>("runstart", (long)p.RunCount + 1);
        Ranks = file.Pointer<int>("idrank", p.DocumentCount);
        Documents = file.Pointer<ushort>("postdoc", p.PostingCount);
        if (Precision == ImpactPrecision.Byte)
        {
            ByteImpacts = file.Pointer<byte>("postval", p.PostingCount);
        }
        else
        {
            FloatImpacts = file.Pointer<float>("postval", p.PostingCount);
        }
    }

    public SegmentParameters Parameters { get; }

    public ImpactPrecision Precision => (ImpactPrecision)Parameters.Precision;

    public int DocumentCount => Parameters.DocumentCount;

    /// <summary>The window of each run; ascending within a term.</summary>
    public int* RunWindows { get; }

    /// <summary>First posting of each run; a run ends where the next begins.</summary>
    public ulong* RunStarts { get; }

    /// <summary>Rank of each document's external id, ascending by bytes: the larger wins a tie.</summary>
    public int* Ranks { get; }

    public ushort* Documents { get; }

    /// <summary>Null unless the precision is Byte.</summary>
    public byte* ByteImpacts { get; }

    /// <summary>Null unless the precision is Float32.</summary>
    public float* FloatImpacts { get; }

    /// <summary>The runs of a term, empty for a term that no document has.</summary>
    public (int First, int End) Runs(int term)
    {
        int at = new ReadOnlySpan<int>(_terms, Parameters.TermCount).BinarySearch(term);
        return at < 0 ? (0, 0) : (_termRuns[at], _termRuns[at + 1]);
    }

    /// <summary>In how many documents a term occurs.</summary>
    public int DocumentFrequency(int term)
    {
        (int first, int end) = Runs(term);
        return (int)(RunStarts[end] - RunStarts[first]);
    }
}
