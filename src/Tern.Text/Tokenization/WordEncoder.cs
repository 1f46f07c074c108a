using System.Text;
using System.Text.Unicode;

namespace Tern.Text;

/// <summary>Entries in the byte-level alphabet with their ids, and merges in order of preference.</summary>
internal sealed record BytePairVocabulary(Dictionary<string, int> Ids, IReadOnlyList<(string Left, string Right)> Merges, bool IgnoresMerges);

/// <summary>
/// Byte-pair encoding of single words: of all neighbouring pairs that have a merge the earliest merge is made, the leftmost
/// first, until none is left; with "ignore_merges" a word that is an entry is its own token. Thread-safe; allocates nothing
/// once the <see cref="WordScratch"/> has grown to the longest word.
/// </summary>
internal sealed class WordEncoder
{
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>>? _wholeWords;
    private readonly Dictionary<long, Merge> _merges;
    private readonly int[] _byteIds = new int[256];
    private readonly WordCache _cache = new();

    public WordEncoder(BytePairVocabulary vocabulary)
    {
        _wholeWords = vocabulary.IgnoresMerges ? vocabulary.Ids.GetAlternateLookup<ReadOnlySpan<char>>() : null;
        for (int b = 0; b < _byteIds.Length; b++)
        {
            _byteIds[b] = vocabulary.Ids[ByteAlphabet.CharOf((byte)b).ToString()];
        }

        _merges = new Dictionary<long, Merge>(vocabulary.Merges.Count);
        for (int rank = 0; rank < vocabulary.Merges.Count; rank++)
        {
            (string left, string right) = vocabulary.Merges[rank];
            _merges[Pair(vocabulary.Ids[left], vocabulary.Ids[right])] = new Merge(rank, vocabulary.Ids[left + right]);
        }
    }

    /// <summary>The ids of one word, valid until the scratch is used again.</summary>
    public ReadOnlySpan<int> Encode(ReadOnlySpan<char> word, WordScratch scratch)
    {
        scratch.Reserve(Encoding.UTF8.GetMaxByteCount(word.Length));
        int count = _cache.TryGet(word, scratch.Ids);
        if (count < 0)
        {
            count = EncodeNew(word, scratch);
            _cache.Add(word, scratch.Ids.AsSpan(0, count));
        }

        return scratch.Ids.AsSpan(0, count);
    }

    private int EncodeNew(ReadOnlySpan<char> word, WordScratch scratch)
    {
        // Unlike Encoding.UTF8 it allocates nothing for a lone surrogate.
        Utf8.FromUtf16(word, scratch.Bytes, out _, out int byteCount);
        ReadOnlySpan<byte> bytes = scratch.Bytes.AsSpan(0, byteCount);
        if (_wholeWords is { } wholeWords)
        {
            for (int i = 0; i < bytes.Length; i++)
            {
                scratch.Alphabet[i] = ByteAlphabet.CharOf(bytes[i]);
            }

            if (wholeWords.TryGetValue(scratch.Alphabet.AsSpan(0, bytes.Length), out int id))
            {
                scratch.Ids[0] = id;
                return 1;
            }
        }

        for (int i = 0; i < bytes.Length; i++)
        {
            scratch.Ids[i] = _byteIds[bytes[i]];
            scratch.Next[i] = i + 1;
            scratch.Previous[i] = i - 1;
        }

        return MergeAll(bytes.Length, scratch);
    }

    // Symbols are a linked list over the word's bytes: a merge keeps the left one's place. The queue is ordered by rank, then
    // place; an entry whose pair has changed since it was queued is passed over.
    private int MergeAll(int length, WordScratch scratch)
    {
        int[] ids = scratch.Ids;
        for (int i = 0; i + 1 < length; i++)
        {
            Offer(i, length, scratch);
        }

        while (scratch.Queue.TryDequeue(out int at, out long order))
        {
            int right = scratch.Next[at];
            if (ids[at] < 0 || right >= length || !_merges.TryGetValue(Pair(ids[at], ids[right]), out Merge merge) || merge.Rank != order >> 32)
            {
                continue;
            }

            ids[at] = merge.Id;
            ids[right] = -1;
            scratch.Next[at] = scratch.Next[right];
            if (scratch.Next[at] < length)
            {
                scratch.Previous[scratch.Next[at]] = at;
                Offer(at, length, scratch);
            }

            if (scratch.Previous[at] >= 0)
            {
                Offer(scratch.Previous[at], length, scratch);
            }
        }

        int count = 0;
        for (int i = 0; i < length; i++)
        {
            if (ids[i] >= 0)
            {
                ids[count++] = ids[i];
            }
        }

        return count;
    }

    private void Offer(int at, int length, WordScratch scratch)
    {
        int right = scratch.Next[at];
        if (right < length && _merges.TryGetValue(Pair(scratch.Ids[at], scratch.Ids[right]), out Merge merge))
        {
            scratch.Queue.Enqueue(at, ((long)merge.Rank << 32) | (uint)at);
        }
    }

    private static long Pair(int left, int right) => ((long)left << 32) | (uint)right;

    private readonly record struct Merge(int Rank, int Id);
}

/// <summary>Working memory of one thread's encoding of words.</summary>
internal sealed class WordScratch
{
    public int[] Ids { get; private set; } = new int[64];

    public int[] Next { get; private set; } = new int[64];

    public int[] Previous { get; private set; } = new int[64];

    public byte[] Bytes { get; private set; } = new byte[64];

    public char[] Alphabet { get; private set; } = new char[64];

    public PriorityQueue<int, long> Queue { get; } = new(64);

    /// <summary>Room for a word of that many bytes.</summary>
    public void Reserve(int byteCount)
    {
        if (byteCount > Bytes.Length)
        {
            int size = Math.Max(byteCount, 2 * Bytes.Length);
            Ids = new int[size];
            Next = new int[size];
            Previous = new int[size];
            Bytes = new byte[size];
            Alphabet = new char[size];
            Queue.EnsureCapacity(2 * size);
        }
    }
}
