using System.Text;
using Microsoft.ML.Tokenizers;

namespace Tern.Text;

/// <summary>
/// Byte-pair encoding of single words on Microsoft.ML.Tokenizers. A vocabulary whose merges follow its ids (Llama-3's) runs as
/// ranks, any other by its merge list.
/// </summary>
internal sealed class WordEncoder
{
    private readonly Microsoft.ML.Tokenizers.Tokenizer _model;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>>? _wholeWords;
    private readonly WordCache _cache = new();

    public WordEncoder(BytePairVocabulary vocabulary)
    {
        if (vocabulary.IgnoresMerges && vocabulary.MergesFollowIds())
        {
            _model = TiktokenTokenizer.Create(RankFile(vocabulary), preTokenizer: null, normalizer: null);
            return;
        }
        _model = BpeTokenizer.Create(new BpeOptions(vocabulary.Ids)
        {
            Merges = vocabulary.Merges.Select(m => $"{m.Left} {m.Right}"),
            ByteLevel = true,
        });
        if (vocabulary.IgnoresMerges)
        {
            _wholeWords = vocabulary.Ids.GetAlternateLookup<ReadOnlySpan<char>>();
        }
    }

    /// <summary>The ids of one word; the array belongs to the encoder.</summary>
    public ReadOnlySpan<int> Encode(ReadOnlySpan<char> word)
    {
        if (!_cache.TryGet(word, out int[] ids))
        {
            ids = WholeWord(word) ?? [.. _model.EncodeToIds(word, considerPreTokenization: false, considerNormalization: false)];
            _cache.Add(word, ids);
        }
        return ids;
    }

    private int[]? WholeWord(ReadOnlySpan<char> word) =>
        _wholeWords is { } words && words.TryGetValue(ByteAlphabet.Encode(Encoding.UTF8.GetBytes(word.ToArray())), out int id) ? [id] : null;

    // The rank file of tiktoken: a line of base64 bytes and rank for each entry.
    private static MemoryStream RankFile(BytePairVocabulary vocabulary)
    {
        var stream = new MemoryStream(vocabulary.Ids.Count * 20);
        using (var writer = new StreamWriter(stream, new UTF8Encoding(false), 1 << 16, leaveOpen: true))
        {
            foreach ((string entry, int id) in vocabulary.Ids)
            {
                if (ByteAlphabet.BytesOf(entry) is not { } bytes)
                {
                    continue;
                }
                writer.Write(Convert.ToBase64String(bytes));
                writer.Write(' ');
                writer.Write(id);
                writer.Write('\n');
            }
        }
        stream.Position = 0;
        return stream;
    }
}

/// <summary>Entries in the byte-level alphabet with their ids, and merges in order of preference.</summary>
internal sealed record BytePairVocabulary(Dictionary<string, int> Ids, IReadOnlyList<(string Left, string Right)> Merges, bool IgnoresMerges)
{
    /// <summary>
    /// Whether the merges are all splits of all entries into two entries, in the order of the ids they make: then the id alone says
    /// which pair merges first.
    /// </summary>
    public bool MergesFollowIds()
    {
        int last = -1;
        foreach ((string left, string right) in Merges)
        {
            int id = Ids[left + right];
            if (id < last)
            {
                return false;
            }
            last = id;
        }
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids = Ids.GetAlternateLookup<ReadOnlySpan<char>>();
        int splitCount = 0;
        foreach (string entry in Ids.Keys)
        {
            for (int at = 1; at < entry.Length; at++)
            {
                splitCount += ids.ContainsKey(entry.AsSpan(0, at)) && ids.ContainsKey(entry.AsSpan(at)) ? 1 : 0;
            }
        }
        return splitCount == Merges.Count;
    }
}
