using System.Numerics;

namespace Tern.Retrieval;

/// <summary>A set of an index's documents that a search may return. Filled by one thread, then read by any number.</summary>
public sealed class DocumentFilter
{
    private readonly ulong[] _bits;

    /// <summary>An empty set of documents 0 .. <paramref name="documentCount"/> − 1.</summary>
    public DocumentFilter(int documentCount)
        : this(documentCount, new ulong[WordCount(documentCount)])
    {
    }

    /// <summary>Takes the words over: bit d % 64 of word d / 64 is document d; bits past the last document are clear.</summary>
    internal DocumentFilter(int documentCount, ulong[] bits)
    {
        DocumentCount = documentCount;
        _bits = bits;
    }

    /// <summary>Of the index that it is for, not of the set.</summary>
    public int DocumentCount { get; }

    /// <summary>Documents in the set.</summary>
    public int Count
    {
        get
        {
            int count = 0;
            foreach (ulong word in _bits)
            {
                count += BitOperations.PopCount(word);
            }

            return count;
        }
    }

    internal ReadOnlyMemory<ulong> Words => _bits;

    public void Add(int docId)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(docId);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(docId, DocumentCount);
        _bits[docId >> 6] |= 1UL << (docId & 63);
    }

    public bool Contains(int docId) => (uint)docId < (uint)DocumentCount && (_bits[docId >> 6] & (1UL << (docId & 63))) != 0;

    internal static int WordCount(int documentCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(documentCount);
        return (int)((documentCount + 63L) / 64);
    }
}
