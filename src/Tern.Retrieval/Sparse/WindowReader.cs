using System.Runtime.CompilerServices;

namespace Tern.Retrieval;

/// <summary>Where the parts of an encoded window lie: a view of one window of a long list.</summary>
internal readonly unsafe struct WindowReader
{
    /// <summary>Ranks of a bitmap: postings before each 1024 documents.</summary>
    public const int RankCount = SegmentFormat.WindowSize >> SegmentFormat.SpanShift;

    private readonly byte* _start;

    public WindowReader(byte* start, byte* end)
    {
        _start = start;
        ushort head = Unsafe.ReadUnaligned<ushort>(start);
        IsBitmap = head >= 0x8000;
        Count = (head & 0x7FFF) + 1;
        Impacts = end - Count;
    }

    public bool IsBitmap { get; }

    public int Count { get; }

    /// <summary>One byte a posting.</summary>
    public byte* Impacts { get; }

    /// <summary>Of a bitmap: 256 words.</summary>
    public ulong* Words => (ulong*)(_start + sizeof(ushort));

    /// <summary>Of a bitmap.</summary>
    public ushort* Ranks => (ushort*)(_start + sizeof(ushort) + (SegmentFormat.WindowWordCount * sizeof(ulong)));

    public int BlockCount => (int)((uint)(Count + SegmentFormat.BlockSize - 1) / SegmentFormat.BlockSize);

    public int BlockLength(int block) => Math.Min(SegmentFormat.BlockSize, Count - (block * SegmentFormat.BlockSize));

    /// <summary>First byte of a block's ids.</summary>
    public byte* Block(int block) => _start + (block == 0 ? sizeof(ushort) + ((BlockCount - 1) * 2 * sizeof(ushort)) : Skip(block)[1]);

    /// <summary>The last id before a block, −1 for the first.</summary>
    public uint Before(int block) => block == 0 ? uint.MaxValue : Skip(block)[0];

    /// <summary>For each block but the first: the last id before it and its first byte, 16 bits each.</summary>
    public uint* Skips => (uint*)(_start + sizeof(ushort));

    private ushort* Skip(int block) => (ushort*)(_start + sizeof(ushort)) + (2 * (block - 1));
}
