namespace Tern.Retrieval.Kernels;

/// <summary>
/// The pieces of search that differ by vector width. Every implementation gives the same integers. Reads may pass the end
/// of what is asked for by 64 bytes; ids and products are written in whole groups of 16.
/// </summary>
internal unsafe interface ISearchLanes
{
    static abstract string Name { get; }

    static abstract bool IsSupported { get; }

    /// <summary>Bytes of a vector.</summary>
    static abstract int VectorByteCount { get; }

    /// <summary>Decodes ids as <see cref="GapCodec"/> writes them.</summary>
    static abstract void DecodeGaps(byte* widths, byte* payload, int count, uint before, uint* ids);

    /// <summary>products[i] = impacts[i] · weight.</summary>
    static abstract void Multiply(byte* impacts, int count, uint weight, uint* products);

    /// <summary>Adds impacts · weight, one for each bit in turn, to the sums of 16 documents.</summary>
    static abstract void AddLeaf(uint documents, byte* impacts, uint weight, uint* sums);

    /// <summary>As <see cref="SearchKernels.ScoreLeaf"/>.</summary>
    static abstract uint ScoreLeaf(LeafPart* parts, int count, PostingLayout layout, uint firstId, uint floor, uint* sums);

    /// <summary>How many skips of a window have an id (their lower 16 bits) below <paramref name="id"/>; at most 31 skips.</summary>
    static abstract int CountBelow(uint* skips, int count, uint id);

    /// <summary>As AddLeaf for the 64 documents of a word of a bitmap.</summary>
    static abstract void AddWord(ulong documents, byte* impacts, uint weight, uint* sums);

    /// <summary>Adds the mapped maxima, one for each bit in turn, to the bounds of 64 leaves, saturating at 255.</summary>
    static abstract void AddBounds(ulong leaves, byte* maxima, in BoundMap map, byte* bounds);

    /// <summary>Which of 64 bytes are at least the floor.</summary>
    static abstract ulong AtLeast(byte* values, byte floor);

    /// <summary>Which of 64 sums are at least the floor; both are below 2³¹, the floor is not 0.</summary>
    static abstract ulong AtLeast(uint* sums, uint floor);

    /// <summary>Zeroes 64 sums, 64-byte aligned.</summary>
    static abstract void Clear(uint* sums);

    /// <summary>Which of 16 ids lie in the 16 documents from <paramref name="first"/> on.</summary>
    static abstract uint InLeaf(uint* ids, uint first);

    /// <summary>Which of 32 window ids lie in the 16 documents from <paramref name="first"/> on.</summary>
    static abstract uint InLeaf(ushort* ids, uint first);
}
