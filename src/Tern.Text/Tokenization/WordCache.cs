using System.Runtime.CompilerServices;

namespace Tern.Text;

/// <summary>
/// Ids of words seen lately, one word a slot, the newest wins. Safe for any number of threads without locks, and allocates
/// nothing: a slot's version is odd while it is written, and a reader that finds it changed takes the word as not there.
/// </summary>
internal sealed class WordCache
{
    private const int SlotCount = 1 << 15;
    private const int LongestWord = 24;
    private const int MostIds = 12;

    private readonly Slot[] _slots = new Slot[SlotCount];

    /// <summary>Writes the ids and returns how many, −1 for a word that is not there. Room for 12 is needed.</summary>
    public int TryGet(ReadOnlySpan<char> word, Span<int> destination)
    {
        if (word.Length > LongestWord)
        {
            return -1;
        }

        ref Slot slot = ref SlotOf(word);
        int version = Volatile.Read(ref slot.Version);
        if ((version & 1) != 0 || slot.WordLength != word.Length || !word.SequenceEqual(((ReadOnlySpan<char>)slot.Word)[..word.Length]))
        {
            return -1;
        }

        int count = slot.IdCount;
        ((ReadOnlySpan<int>)slot.Ids).CopyTo(destination);
        Volatile.ReadBarrier();
        return slot.Version == version ? count : -1;
    }

    public void Add(ReadOnlySpan<char> word, ReadOnlySpan<int> ids)
    {
        if (word.Length is 0 or > LongestWord || ids.Length > MostIds)
        {
            return;
        }

        ref Slot slot = ref SlotOf(word);
        int version = Volatile.Read(ref slot.Version);
        if ((version & 1) != 0 || Interlocked.CompareExchange(ref slot.Version, version + 1, version) != version)
        {
            return; // Another thread is writing here; its word is as good.
        }

        slot.WordLength = word.Length;
        slot.IdCount = ids.Length;
        word.CopyTo(slot.Word);
        ids.CopyTo(slot.Ids);
        Volatile.Write(ref slot.Version, version + 2);
    }

    private ref Slot SlotOf(ReadOnlySpan<char> word) => ref _slots[string.GetHashCode(word) & (SlotCount - 1)];

    private struct Slot
    {
        public int Version;
        public int WordLength;
        public int IdCount;
        public Characters Word;
        public TokenIds Ids;
    }

    [InlineArray(LongestWord)]
    private struct Characters
    {
        private char _first;
    }

    [InlineArray(MostIds)]
    private struct TokenIds
    {
        private int _first;
    }
}
