using System.Runtime.InteropServices;

namespace Tern.Retrieval;

/// <summary>Constants of the inverted segment file; FORMAT.md describes it.</summary>
internal static class SegmentFormat
{
    public const string FileName = "segment.tern";

    /// <summary>"TernInv" in ASCII.</summary>
    public static readonly ulong Magic = Files.SectionFile.NameCode("TernInv");

    /// <summary>Documents per window: ids inside one fit 16 bits, and its accumulators (64 KiB) stay in the L2 cache.</summary>
    public const int WindowSize = 1 << WindowShift;

    public const int WindowShift = 14;

    /// <summary>
    /// A term in at most so many documents has a short list, which a query decodes whole; longer ones are cut into windows
    /// and have block maxima.
    /// </summary>
    public const int LongestShortList = 2048;

    /// <summary>Postings of a window of a long list that are found together, at 4 bytes a block: two groups, one vector of 16-bit ids.</summary>
    public const int BlockSize = 32;

    /// <summary>Gaps that share a bit width.</summary>
    public const int GroupSize = 16;

    /// <summary>
    /// From so many postings a window is a bitmap: adding it takes the same time for any number of them, and less than one
    /// by one from here on (tern bench search, hard500k).
    /// </summary>
    public const int BitmapPostingCount = 1024;

    /// <summary>Words of 64 documents in a window.</summary>
    public const int WindowWordCount = WindowSize / 64;

    /// <summary>Documents under one maximum: a leaf. One vector of 16 accumulators.</summary>
    public const int LeafSize = 1 << LeafShift;

    public const int LeafShift = 4;

    /// <summary>Documents of 64 leaves, the bits of one word.</summary>
    public const int SpanShift = LeafShift + 6;

    /// <summary>Leaves of a window.</summary>
    public const int LeafOfWindowShift = WindowShift - LeafShift;

    /// <summary>The value of a maximum that stands for an impact of 255; maxima have 7 bits, rounded up.</summary>
    public const int LargestMaximum = 127;

    /// <summary>How documents' vectors are stored; 1 had a whole byte for each impact.</summary>
    public const int ForwardCode = 2;

    /// <summary>Which of the three counts whose k-th weights are kept serves k: 0, 1, 2, or 3 for none.</summary>
    public static int ThresholdClass(int k) => k <= 10 ? 0 : k <= 100 ? 1 : k <= 1000 ? 2 : 3;

    public static int ThresholdCount(int thresholdClass) => thresholdClass switch { 0 => 10, 1 => 100, _ => 1000 };

    public static int WindowCount(int documentCount) => (int)(((long)documentCount + WindowSize - 1) >> WindowShift);

    public static int SpanCount(int documentCount) => (int)(((long)documentCount + (1 << SpanShift) - 1) >> SpanShift);
}

/// <summary>The section "params".</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = 64)]
internal struct SegmentParameters
{
    public int DocumentCount;
    public int VocabularySize;
    public int TermCount;
    public int WindowSize;
    public long PostingCount;
    public int LeafSize;
    public int LongestShortList;
    public int Precision;
    public int Layout;
    /// <summary>0 for no forward index, else <see cref="SegmentFormat.ForwardCode"/>.</summary>
    public int ForwardCode;
    public float ImpactScale;
}

/// <summary>One row of the section "terms", ascending by <see cref="Term"/>. Lists and maxima end where the next row's begin.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = 32)]
internal struct TermEntry
{
    /// <summary>First byte of the list in "postings".</summary>
    public ulong PostingOffset;

    /// <summary>First byte of the block maxima in "maxima".</summary>
    public ulong MaximaOffset;

    public int Term;

    public int DocumentFrequency;

    public byte LargestImpact;

    /// <summary>The 10th, 100th and 1000th largest impact, 0 where there are fewer postings.</summary>
    public byte Impact10;
    public byte Impact100;
    public byte Impact1000;

    public readonly bool IsLong => DocumentFrequency > SegmentFormat.LongestShortList;

    public readonly byte KthImpact(int thresholdClass) => thresholdClass switch { 0 => Impact10, 1 => Impact100, 2 => Impact1000, _ => 0 };
}
