using System.Text;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>The names of an index's terms, sorted by UTF-8 bytes; a term's id is its place. Checked page by page as they are read.</summary>
internal sealed class WordTable
{
    private readonly StringTable _words;

    public WordTable(SectionFile file, int count)
    {
        Count = count;
        _words = new StringTable(file, "wrdstart", "wrdbytes", count);
    }

    public int Count { get; }

    public string Word(int term)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(term);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(term, Count);
        return Encoding.UTF8.GetString(_words[term]);
    }

    /// <summary>The term's id, or −1.</summary>
    public int Find(ReadOnlySpan<char> word)
    {
        int byteCount = Encoding.UTF8.GetByteCount(word);
        Span<byte> utf8 = byteCount <= 256 ? stackalloc byte[256] : new byte[byteCount];
        utf8 = utf8[..Encoding.UTF8.GetBytes(word, utf8)];
        for (int low = 0, high = Count - 1; low <= high;)
        {
            int middle = low + ((high - low) >> 1);
            int compared = _words[middle].SequenceCompareTo(utf8);
            if (compared == 0)
            {
                return middle;
            }

            (low, high) = compared < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return -1;
    }

    /// <summary>Sorts distinct words in place into the order that the table needs.</summary>
    public static void Sort(string[] words)
    {
        byte[][] keys = Array.ConvertAll(words, Encoding.UTF8.GetBytes);
        Array.Sort(keys, words, Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)));
    }

    public static void Write(SectionFileWriter writer, string[] sortedWords)
    {
        var starts = new ulong[sortedWords.Length + 1];
        writer.Begin("wrdbytes");
        for (int i = 0; i < sortedWords.Length; i++)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(sortedWords[i]);
            writer.Append<byte>(utf8);
            starts[i + 1] = starts[i] + (ulong)utf8.Length;
        }

        writer.Write<ulong>("wrdstart", starts);
    }
}
