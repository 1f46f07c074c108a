namespace Tern.Text;

/// <summary>
/// Ids of words seen lately, one entry a slot, the newest wins. Safe for any number of threads without locks: entries are
/// immutable and replaced as references.
/// </summary>
internal sealed class WordCache
{
    private const int SlotCount = 1 << 16;
    private const int LongestWord = 48;

    private readonly Entry?[] _slots = new Entry?[SlotCount];

    public bool TryGet(ReadOnlySpan<char> word, out int[] ids)
    {
        Entry? entry = word.Length > LongestWord ? null : Volatile.Read(ref _slots[Slot(word)]);
        ids = entry?.Ids ?? [];
        return entry != null && word.SequenceEqual(entry.Word);
    }

    public void Add(ReadOnlySpan<char> word, int[] ids)
    {
        if (word.Length <= LongestWord)
        {
            Volatile.Write(ref _slots[Slot(word)], new Entry(word.ToString(), ids));
        }
    }

    private static int Slot(ReadOnlySpan<char> word) => string.GetHashCode(word) & (SlotCount - 1);

    private sealed record Entry(string Word, int[] Ids);
}
