using System.Runtime.InteropServices;
using System.Text;

namespace Tern.Text;

/// <summary>
/// What is put around a text: BOS and EOS, an instruction before it, and the most tokens it may have, BOS and EOS included (the
/// text is cut on the right; 0 means no limit).
/// </summary>
public readonly record struct TokenizationOptions(bool AddBos, bool AddEos, string Prefix, int MaxTokenCount);

/// <summary>
/// A byte-level BPE tokenizer read from a Hugging Face tokenizer.json. Thread-safe. The text of special tokens in user input stays
/// text unless asked for. Encoding allocates nothing once its pooled memory has grown to the longest text and there is one lot of it
/// for each concurrent caller; only NFC allocates, where a text is not composed already.
/// </summary>
public sealed class Tokenizer
{
    private readonly TokenizerDefinition _definition;
    private readonly WordEncoder _words;
    private readonly byte[]?[] _bytes;
    private readonly AddedTokens? _plain;
    private readonly AddedTokens? _plainWithSpecial;
    private readonly AddedTokens? _normalized;
    private readonly AddedTokens? _normalizedWithSpecial;
    private readonly Dictionary<int, AddedToken> _addedById;
    private readonly Stack<Scratch> _idle = new();

    private Tokenizer(TokenizerDefinition definition)
    {
        _definition = definition;
        _words = new WordEncoder(definition.Vocabulary);
        AddedToken[] added = definition.AddedTokens;
        _addedById = added.ToDictionary(t => t.Id);
        _plain = AddedTokens.Of(added.Where(t => !t.IsNormalized && !IsControl(t, definition)), c => c);
        _plainWithSpecial = AddedTokens.Of(added.Where(t => !t.IsNormalized), c => c);
        _normalized = AddedTokens.Of(added.Where(t => t.IsNormalized && !IsControl(t, definition)), Normalized);
        _normalizedWithSpecial = AddedTokens.Of(added.Where(t => t.IsNormalized), Normalized);
        VocabularySize = 1 + Math.Max(definition.Vocabulary.Ids.Values.Max(), added.Select(t => t.Id).DefaultIfEmpty(-1).Max());
        _bytes = new byte[]?[VocabularySize];
        foreach ((string entry, int id) in definition.Vocabulary.Ids)
        {
            _bytes[id] = ByteAlphabet.BytesOf(entry);
        }
        foreach (AddedToken token in added)
        {
            _bytes[token.Id] = Encoding.UTF8.GetBytes(token.Content);
        }
        BosId = definition.BosId ?? FindSpecial("<|begin_of_text|>", "<s>");
        EosId = definition.EosId ?? FindSpecial("<|end_of_text|>", "</s>");

        string Normalized(string content)
        {
            var scratch = new Scratch();
            Normalize(content, false, scratch);
            return scratch.Text.Text.ToString();
        }
    }

    /// <summary>
    /// Reads a tokenizer.json, or the one in a directory. <see cref="InvalidDataException"/> names the file and the field that is
    /// malformed or not supported.
    /// </summary>
    public static Tokenizer Load(string path)
    {
        string file = Directory.Exists(path) ? Path.Combine(path, "tokenizer.json") : path;
        return File.Exists(file)
            ? new Tokenizer(new TokenizerFile(file).Read())
            : throw new FileNotFoundException($"{file}: no such file; a tokenizer.json is needed", file);
    }

    /// <summary>The highest id plus one, added tokens included.</summary>
    public int VocabularySize { get; }

    /// <summary>From the template post-processor, else a well-known special token (&lt;|begin_of_text|&gt;, &lt;s&gt;).</summary>
    public int? BosId { get; }

    /// <summary>From the template post-processor, else a well-known special token (&lt;|end_of_text|&gt;, &lt;/s&gt;).</summary>
    public int? EosId { get; }

    /// <summary>Ids that stand for no text: added tokens that are marked special, BOS and EOS.</summary>
    public IEnumerable<int> SpecialIds => _addedById.Values.Where(t => t.IsSpecial).Select(t => t.Id).Concat(new[] { BosId, EosId }.OfType<int>()).Distinct();

    /// <summary>Appends the ids of the text alone, without BOS and EOS.</summary>
    public void Encode(ReadOnlySpan<char> text, List<int> destination, bool parseSpecialTokens = false)
    {
        Scratch scratch = Rent();
        EncodeText(text, destination, null, parseSpecialTokens, int.MaxValue, scratch);
        Return(scratch);
    }

    /// <summary>Appends the ids of prefix and text between BOS and EOS where asked for, at most MaxTokenCount of them.</summary>
    public void Encode(ReadOnlySpan<char> text, in TokenizationOptions options, List<int> destination) => Encode(text, options, destination, null);

    /// <summary>
    /// As <see cref="Encode(ReadOnlySpan{char}, in TokenizationOptions, List{int})"/>, with the range of characters of
    /// <paramref name="text"/> that each token stands for; BOS, EOS and tokens of the prefix have length 0. A character split into
    /// several tokens is in each range.
    /// </summary>
    public void EncodeWithOffsets(ReadOnlySpan<char> text, in TokenizationOptions options, List<int> ids, List<(int Start, int Length)> offsets) =>
        Encode(text, options, ids, offsets);

    /// <summary>What a token stands for: its text where its bytes are valid UTF-8, otherwise its byte-level form.</summary>
    public string TokenText(int id)
    {
        byte[] bytes = BytesOf(id);
        return System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : ByteAlphabet.Encode(bytes);
    }

    /// <summary>The text of a sequence of ids, special tokens included; bytes that are not UTF-8 become U+FFFD.</summary>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>(ids.Length * 4);
        foreach (int id in ids)
        {
            bytes.AddRange(BytesOf(id));
        }
        return Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(bytes));
    }

    /// <summary>
    /// Special, and its text means nothing else. The underscore that the paper's system made its mask token, and a special token with
    /// it, is an ordinary entry of the vocabulary: it is found in every text, as Hugging Face's tokenizers find it.
    /// </summary>
    private static bool IsControl(AddedToken token, TokenizerDefinition definition)
    {
        bool isOrdinary = token.Content is [not '<' and not '[', ..] && definition.Vocabulary.Ids.TryGetValue(ByteAlphabet.Encode(Encoding.UTF8.GetBytes(token.Content)), out int id) && id == token.Id;
        return token.IsSpecial && !isOrdinary;
    }

    private byte[] BytesOf(int id) => (uint)id < (uint)_bytes.Length
        ? _bytes[id] ?? []
        : throw new ArgumentOutOfRangeException(nameof(id), id, $"ids of this tokenizer are below {VocabularySize}");

    private int? FindSpecial(params string[] contents) => contents
        .Select(content => _addedById.Values.FirstOrDefault(t => t.IsSpecial && t.Content == content)?.Id
            ?? (_definition.Vocabulary.Ids.TryGetValue(content, out int id) ? id : null))
        .FirstOrDefault(id => id != null);

    private void Encode(ReadOnlySpan<char> text, in TokenizationOptions options, List<int> ids, List<(int Start, int Length)>? offsets)
    {
        int around = (options.AddBos ? 1 : 0) + (options.AddEos ? 1 : 0);
        if (options.MaxTokenCount < 0 || (options.MaxTokenCount > 0 && options.MaxTokenCount < around))
        {
            throw new ArgumentOutOfRangeException(nameof(options), options.MaxTokenCount, $"MaxTokenCount must be 0 (no limit) or at least {around}");
        }
        int limit = options.MaxTokenCount == 0 ? int.MaxValue : options.MaxTokenCount - around;
        if (options.AddBos)
        {
            AddSpecial(BosId, "BOS", ids, offsets);
        }
        int prefixLength = options.Prefix?.Length ?? 0;
        int first = ids.Count;
        Scratch scratch = Rent();
        EncodeText(prefixLength == 0 ? text : scratch.Join(options.Prefix, text), ids, offsets, false, limit, scratch);
        Return(scratch);
        for (int i = offsets == null || prefixLength == 0 ? int.MaxValue : offsets.Count - (ids.Count - first); i < offsets?.Count; i++)
        {
            int start = Math.Max(0, offsets[i].Start - prefixLength);
            int end = Math.Max(0, offsets[i].Start + offsets[i].Length - prefixLength);
            offsets[i] = (start, end - start);
        }
        if (options.AddEos)
        {
            AddSpecial(EosId, "EOS", ids, offsets);
        }
    }

    private static void AddSpecial(int? id, string name, List<int> ids, List<(int Start, int Length)>? offsets)
    {
        ids.Add(id ?? throw new InvalidOperationException($"{name} is asked for, but this tokenizer has none"));
        offsets?.Add((0, 0));
    }

    private void Normalize(ReadOnlySpan<char> text, bool withOffsets, Scratch scratch)
    {
        scratch.Text.Set(text, withOffsets);
        Normalizers.Apply(_definition.Normalizers, ref scratch.Text, ref scratch.SpareText);
    }

    private void EncodeText(ReadOnlySpan<char> text, List<int> ids, List<(int Start, int Length)>? offsets, bool withSpecial, int limit, Scratch scratch)
    {
        AddedTokens? added = withSpecial ? _plainWithSpecial : _plain;
        int full = limit == int.MaxValue ? limit : ids.Count + limit;
        int done = 0;
        while (done < text.Length && ids.Count < full)
        {
            int start = text.Length;
            int end = text.Length;
            AddedToken? token = added != null && added.TryFind(text, done, out AddedToken found, out start, out end) ? found : null;
            if (start > done)
            {
                EncodeSegment(text[done..start], done, ids, offsets, withSpecial, full, scratch);
            }
            if (token != null && ids.Count < full)
            {
                ids.Add(token.Id);
                offsets?.Add((start, end - start));
            }
            done = end;
        }
    }

    // A stretch without raw added tokens: normalized, searched for those written in normalized form, then split into words.
    private void EncodeSegment(ReadOnlySpan<char> segment, int offset, List<int> ids, List<(int Start, int Length)>? offsets, bool withSpecial, int full, Scratch scratch)
    {
        Normalize(segment, offsets != null, scratch);
        AlignedText text = scratch.Text;
        AddedTokens? added = withSpecial ? _normalizedWithSpecial : _normalized;
        int done = 0;
        while (done < text.Length && ids.Count < full)
        {
            int start = text.Length;
            int end = text.Length;
            AddedToken? token = added != null && added.TryFind(text.Text, done, out AddedToken found, out start, out end) ? found : null;
            var sink = new WordSink(this, scratch, done, offset, ids, offsets, full);
            _definition.Splits.Apply(text.Text[done..start], ref sink);
            if (token != null && ids.Count < full)
            {
                ids.Add(token.Id);
                offsets?.Add((offset + text.Starts[start], text.Ends[end - 1] - text.Starts[start]));
            }
            done = end;
        }
    }

    private Scratch Rent()
    {
        lock (_idle)
        {
            return _idle.TryPop(out Scratch? scratch) ? scratch : new Scratch();
        }
    }

    private void Return(Scratch scratch)
    {
        lock (_idle)
        {
            _idle.Push(scratch);
        }
    }

    /// <summary>Working memory of one call.</summary>
    private sealed class Scratch
    {
        public AlignedText Text = new();
        public AlignedText SpareText = new();
        private char[] _joined = [];

        public WordScratch Words { get; } = new();

        public ReadOnlySpan<char> Join(ReadOnlySpan<char> prefix, ReadOnlySpan<char> text)
        {
            int length = prefix.Length + text.Length;
            if (_joined.Length < length)
            {
                _joined = new char[Math.Max(length, 2 * _joined.Length)];
            }
            prefix.CopyTo(_joined);
            text.CopyTo(_joined.AsSpan(prefix.Length));
            return _joined.AsSpan(0, length);
        }
    }

    private readonly struct WordSink(Tokenizer tokenizer, Scratch scratch, int wordOffset, int textOffset, List<int> ids, List<(int Start, int Length)>? offsets, int full)
        : IPieceSink
    {
        public bool Add(int start, int length)
        {
            ReadOnlySpan<char> word = scratch.Text.Text.Slice(wordOffset + start, length);
            ReadOnlySpan<int> tokens = tokenizer._words.Encode(word, scratch.Words);
            tokens = tokens[..Math.Min(tokens.Length, full - ids.Count)];
            ids.AddRange(tokens);
            if (offsets != null)
            {
                AddOffsets(word, wordOffset + start, tokens);
            }
            return ids.Count < full;
        }

        // Walks the word's characters beside its tokens' bytes.
        private void AddOffsets(ReadOnlySpan<char> word, int at, ReadOnlySpan<int> tokens)
        {
            int[] charOfByte = new int[Encoding.UTF8.GetByteCount(word)];
            int[] endOfByte = new int[charOfByte.Length];
            int bytes = 0;
            for (int i = 0; i < word.Length;)
            {
                Rune.DecodeFromUtf16(word[i..], out Rune rune, out int units);
                for (int b = 0; b < rune.Utf8SequenceLength; b++, bytes++)
                {
                    charOfByte[bytes] = at + i;
                    endOfByte[bytes] = at + i + units - 1;
                }
                i += units;
            }
            int first = 0;
            foreach (int token in tokens)
            {
                int last = first + tokenizer._bytes[token]!.Length - 1;
                int start = scratch.Text.Starts[charOfByte[first]];
                offsets!.Add((textOffset + start, scratch.Text.Ends[endOfByte[last]] - start));
                first = last + 1;
            }
        }
    }
}
