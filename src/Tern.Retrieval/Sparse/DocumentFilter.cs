namespace Tern.Retrieval;

/// <summary>A set of an index's documents that a search may return. Filled by one thread, then read by any number.</summary>
public sealed class DocumentFilter
{
    private readonly ulong[] _bits;

    /// <summary>An empty set of documents 0 .. <paramref name="documentCount"/> − 1.</summary>
    public DocumentFilter(int documentCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(documentCount);
        DocumentCount = documentCount;
        _bits = new ulong[(documentCount + 63L) / 64];
    }

    /// <summary>Of the index that it is for, not of the set.</summary>
    public int DocumentCount { get; }

    public void Add(int docId)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(docId);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(docId, DocumentCount);
        _bits[docId >> 6] |= 1UL << (docId & 63);
    }

    public bool Contains(int docId) => (uint)docId < (uint)DocumentCount && (_bits[docId >> 6] & (1UL << (docId & 63))) != 0;
}
