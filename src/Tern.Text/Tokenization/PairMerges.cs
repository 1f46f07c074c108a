using System.Runtime.InteropServices;
using System.Text;

namespace Tern.Text;

/// <summary>
/// The merges of counted words. Pair counts are kept up to date as words change; a queue holds pairs with the count they had when
/// queued, and a pair whose count has fallen since is queued again when it comes to the front.
/// </summary>
internal sealed class PairMerges
{
    private readonly List<byte[]> _entries = [];
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly List<int>[] _words;
    private readonly int[] _counts;
    private readonly Dictionary<(int Left, int Right), PairUse> _uses = [];
    private readonly PriorityQueue<(int Left, int Right), (long NegatedCount, int Left, int Right)> _queue = new();
    private readonly int _minimumCount;

    private sealed class PairUse
    {
        public long Count { get; set; }

        // Words that held the pair at some time, in order; a word may be there twice.
        public List<int> Words { get; } = [];
    }

    public PairMerges(Dictionary<string, int> wordCounts, int minimumCount)
    {
        _minimumCount = minimumCount;
        for (int b = 0; b < 256; b++)
        {
            AddEntry([(byte)b]);
        }
        (string Word, int Count)[] words = [.. wordCounts.Select(w => (w.Key, w.Value)).OrderBy(w => w.Key, StringComparer.Ordinal)];
        _words = new List<int>[words.Length];
        _counts = new int[words.Length];
        for (int w = 0; w < words.Length; w++)
        {
            _words[w] = [.. Encoding.UTF8.GetBytes(words[w].Word).Select(b => (int)b)];
            _counts[w] = words[w].Count;
            for (int i = 1; i < _words[w].Count; i++)
            {
                Change((_words[w][i - 1], _words[w][i]), w, 1);
            }
        }
        foreach (((int Left, int Right) pair, PairUse use) in _uses)
        {
            Enqueue(pair, use.Count);
        }
    }

    public int EntryCount => _entries.Count;

    public List<(int Left, int Right)> Pairs { get; } = [];

    public byte[] Entry(int id) => _entries[id];

    /// <summary>Merges the most frequent pair until there are that many entries or no pair is frequent enough.</summary>
    public void Learn(int entryCount)
    {
        while (_entries.Count < entryCount && _queue.TryDequeue(out (int Left, int Right) pair, out (long NegatedCount, int, int) queued))
        {
            if (!_uses.TryGetValue(pair, out PairUse? use))
            {
                continue;
            }
            if (use.Count != -queued.NegatedCount)
            {
                Enqueue(pair, use.Count);
                continue;
            }
            Pairs.Add(pair);
            int merged = AddEntry([.. _entries[pair.Left], .. _entries[pair.Right]]);
            Merge(pair, use, merged);
        }
    }

    private void Merge((int Left, int Right) pair, PairUse use, int merged)
    {
        var raised = new HashSet<(int Left, int Right)>();
        foreach (int w in use.Words)
        {
            Span<int> word = CollectionsMarshal.AsSpan(_words[w]);
            int kept = 0;
            for (int i = 0; i < word.Length; i++)
            {
                if (i + 1 == word.Length || word[i] != pair.Left || word[i + 1] != pair.Right)
                {
                    word[kept++] = word[i];
                    continue;
                }
                if (kept > 0)
                {
                    Change((word[kept - 1], pair.Left), w, -1);
                    Change((word[kept - 1], merged), w, 1);
                    raised.Add((word[kept - 1], merged));
                }
                if (i + 2 < word.Length)
                {
                    Change((pair.Right, word[i + 2]), w, -1);
                    Change((merged, word[i + 2]), w, 1);
                    raised.Add((merged, word[i + 2]));
                }
                word[kept++] = merged;
                i++;
            }
            _words[w].RemoveRange(kept, word.Length - kept);
        }
        _uses.Remove(pair);
        foreach ((int Left, int Right) other in raised)
        {
            if (_uses.TryGetValue(other, out PairUse? otherUse))
            {
                Enqueue(other, otherUse.Count);
            }
        }
    }

    private void Change((int Left, int Right) pair, int word, int sign)
    {
        ref PairUse? use = ref CollectionsMarshal.GetValueRefOrAddDefault(_uses, pair, out _);
        use ??= new PairUse();
        use.Count += (long)sign * _counts[word];
        if (sign > 0 && (use.Words.Count == 0 || use.Words[^1] != word))
        {
            use.Words.Add(word);
        }
    }

    private void Enqueue((int Left, int Right) pair, long count)
    {
        if (count >= _minimumCount)
        {
            _queue.Enqueue(pair, (-count, pair.Left, pair.Right));
        }
    }

    private int AddEntry(byte[] bytes)
    {
        // Two different pairs may make the same bytes: the entry is one, the merges are two.
        string key = Encoding.Latin1.GetString(bytes);
        if (!_ids.TryGetValue(key, out int id))
        {
            id = _entries.Count;
            _entries.Add(bytes);
            _ids.Add(key, id);
        }
        return id;
    }
}
