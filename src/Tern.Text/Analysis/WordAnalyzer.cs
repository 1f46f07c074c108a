namespace Tern.Text;

/// <summary>Receives the terms of a text in order; a term is valid during the call.</summary>
public interface ITermSink
{
    void Add(ReadOnlySpan<char> term);
}

/// <summary>
/// Turns a text into index terms for BM25. <see cref="English"/> follows Lucene's EnglishAnalyzer as Anserini uses it: words of
/// StandardTokenizer, possessive 's removed, lower case, 33 stop words dropped, Porter's stemmer. Thread-safe.
/// </summary>
public sealed class WordAnalyzer
{
    /// <summary>StandardTokenizer cuts longer words into pieces of this length.</summary>
    private const int LongestWord = 255;

    public static readonly WordAnalyzer English = new();

    private static readonly HashSet<string> StopWords = new(
        ("a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was "
        + "will with").Split(' '),
        StringComparer.Ordinal);

    private static readonly HashSet<string>.AlternateLookup<ReadOnlySpan<char>> StopWordSpans = StopWords.GetAlternateLookup<ReadOnlySpan<char>>();

    private readonly WordInterner _terms = new();

    private WordAnalyzer()
    {
    }

    /// <summary>Appends the terms of the text in order, repeated where they repeat.</summary>
    public void Analyze(string text, List<string> terms)
    {
        var sink = new InterningSink(_terms, terms);
        Analyze(text, ref sink);
    }

    /// <summary>Hands the terms of the text over in order, repeated where they repeat. Allocates nothing.</summary>
    public void Analyze<TSink>(ReadOnlySpan<char> text, ref TSink sink)
        where TSink : struct, ITermSink
    {
        Span<char> buffer = stackalloc char[LongestWord + 1];
        int start = 0;
        for (int length; (length = WordBreaks.Next(text, ref start)) > 0; start += length)
        {
            for (int at = 0; at < length; at += LongestWord)
            {
                ReadOnlySpan<char> word = text.Slice(start + at, Math.Min(LongestWord, length - at));
                word = WithoutPossessive(word);
                Lower(word, buffer);
                if (word.Length > 0 && !StopWordSpans.Contains(buffer[..word.Length]))
                {
                    sink.Add(buffer[..PorterStemmer.Stem(buffer, word.Length)]);
                }
            }
        }
    }

    private static ReadOnlySpan<char> WithoutPossessive(ReadOnlySpan<char> word) =>
        word is [.., '\'' or '\u2019' or '\uFF07', 's' or 'S'] ? word[..^2] : word;

    private static void Lower(ReadOnlySpan<char> word, Span<char> buffer)
    {
        word.ToLowerInvariant(buffer);
        // The capital dotted I, which the invariant culture leaves alone.
        buffer[..word.Length].Replace('\u0130', 'i');
    }

    private readonly struct InterningSink(WordInterner interner, List<string> terms) : ITermSink
    {
        public void Add(ReadOnlySpan<char> term) => terms.Add(interner.Intern(term));
    }

    /// <summary>Gives one string for equal terms seen lately, so that a corpus does not allocate each of its words.</summary>
    private sealed class WordInterner
    {
        private readonly string?[] _slots = new string?[1 << 15];

        public string Intern(ReadOnlySpan<char> term)
        {
            ref string? slot = ref _slots[string.GetHashCode(term) & (_slots.Length - 1)];
            string? seen = Volatile.Read(ref slot);
            if (seen == null || !term.SequenceEqual(seen))
            {
                seen = term.ToString();
                Volatile.Write(ref slot, seen);
            }
            return seen;
        }
    }
}
