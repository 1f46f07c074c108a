using System.Runtime.InteropServices;

namespace Tern.Retrieval;

/// <summary>Constants of the inverted segment file; FORMAT.md describes it.</summary>
internal static class SegmentFormat
{
    public const string FileName = "segment.tern";

    /// <summary>"TernInv" in ASCII.</summary>
    public static readonly ulong Magic = Files.SectionFile.NameCode("TernInv");

    /// <summary>Documents per window: ids inside one fit 16 bits, and its accumulators (64 KiB) stay in the L2 cache.</summary>
    public const int WindowSize = 16384;

    public const int WindowShift = 14;
}

/// <summary>The section "params".</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = 64)]
internal struct SegmentParameters
{
    public int DocumentCount;
    public int VocabularySize;
    public int TermCount;
    public int RunCount;
    public long PostingCount;
    public int WindowSize;
    public int Precision;
    public float ImpactScale;
}
