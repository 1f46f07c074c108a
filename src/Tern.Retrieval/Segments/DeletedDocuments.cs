using System.Numerics;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>The deleted documents of one segment: bit d % 64 of word d / 64. A value that is copied before it is changed.</summary>
internal sealed class DeletedDocuments
{
    /// <summary>"TernDel" in ASCII.</summary>
    public static readonly ulong Magic = SectionFile.NameCode("TernDel");

    private readonly ulong[] _bits;
    private readonly int _documentCount;

    public DeletedDocuments(int documentCount)
        : this(documentCount, new ulong[DocumentFilter.WordCount(documentCount)])
    {
    }

    private DeletedDocuments(int documentCount, ulong[] bits)
    {
        _documentCount = documentCount;
        _bits = bits;
        foreach (ulong word in bits)
        {
            Count += BitOperations.PopCount(word);
        }
    }

    public int Count { get; private set; }

    public int LiveCount => _documentCount - Count;

    public bool Contains(int document) => (_bits[document >> 6] >> (document & 63) & 1) != 0;

    /// <summary>False if it was in the set.</summary>
    public bool Add(int document)
    {
        if (Contains(document))
        {
            return false;
        }

        _bits[document >> 6] |= 1UL << (document & 63);
        Count++;
        return true;
    }

    public DeletedDocuments Copy() => new(_documentCount, [.. _bits]);

    /// <summary>The other documents; null where none is deleted.</summary>
    public DocumentFilter? Live()
    {
        if (Count == 0)
        {
            return null;
        }

        var live = new ulong[_bits.Length];
        for (int i = 0; i < live.Length; i++)
        {
            live[i] = ~_bits[i];
        }

        if (_documentCount % 64 != 0)
        {
            live[^1] &= (1UL << (_documentCount % 64)) - 1;
        }

        return new DocumentFilter(_documentCount, live);
    }

    /// <summary>Returns what stands for the file.</summary>
    public string Write(IFileSystem files, string path)
    {
        using var writer = new SectionFileWriter(files, path, Magic);
        writer.Write<int>("params", [_documentCount, Count]);
        writer.Write<ulong>("bits", _bits);
        return IndexManifest.Hex(writer.Complete().HeaderHash);
    }

    public static DeletedDocuments Read(IFileSystem files, string root, GenerationSegment segment)
    {
        if (segment.DeletedFile.Length == 0)
        {
            return new DeletedDocuments(segment.DocumentCount);
        }

        using SectionFile file = files.OpenSections(Path.Combine(root, segment.DeletedFile), Magic);
        file.Verify();
        if (IndexManifest.Hex(file.HeaderHash) != segment.DeletedChecksum || !file.Table<int>("params").SequenceEqual([segment.DocumentCount, segment.DeletedCount]))
        {
            throw file.InvalidElement("params", "not the deleted documents that the generation describes (a file of another build); restore the index or build it again");
        }

        ulong[] bits = file.Table<ulong>("bits").ToArray();
        var deleted = new DeletedDocuments(segment.DocumentCount, bits);
        return bits.Length == DocumentFilter.WordCount(segment.DocumentCount) && deleted.Count == segment.DeletedCount ? deleted : throw file.InvalidElement("bits", $"{deleted.Count} deleted documents where {segment.DeletedCount} belong");
    }
}
