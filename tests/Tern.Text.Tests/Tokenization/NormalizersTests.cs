using System.Text.RegularExpressions;

namespace Tern.Text.Tests.Tokenization;

public sealed class NormalizersTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static (string Text, string Ranges) Apply(INormalizer normalizer, string text)
    {
        AlignedText result = Normalized(normalizer, text, withOffsets: true);
        string normalized = result.Text.ToString();
        Assert.Equal(normalized, Normalized(normalizer, text, withOffsets: false).Text.ToString());
        return (normalized, string.Join(' ', result.Starts.ToArray().Zip(result.Ends.ToArray()).Select(r => $"{r.First}-{r.Second}")));
    }

    private static AlignedText Normalized(INormalizer normalizer, string text, bool withOffsets)
    {
        var source = new AlignedText();
        var spare = new AlignedText();
        source.Set(text, withOffsets);
        Normalizers.Apply([normalizer], ref source, ref spare);
        return source;
    }

    [Fact]
    public void Lowercase()
    {
        var lowercase = new LowercaseNormalizer();
        Assert.Equal(("aé𐐨", "0-1 1-2 2-3 3-4"), Apply(lowercase, "AÉ𐐀"));
        Assert.Equal(("xi\u0307y", "0-1 1-2 1-2 2-3"), Apply(lowercase, "X\u0130Y"));
        foreach (string pair in (string[])["A", "𐐀", "x𐐀", "É𐐀A"])
        {
            // Longer than the blocks that are lowered at a time, pairs of surrogates across their edges.
            string text = string.Concat(Enumerable.Repeat(pair, 700));
            Assert.Equal(text.ToLowerInvariant(), Apply(lowercase, text).Text);
        }
    }

    [Fact]
    public void ReplacedCharactersComeFromTheWholeMatch()
    {
        var replace = new ReplaceNormalizer(new Regex("b+|(?=z)|$"), "<$1>");
        Assert.Equal(("a<$1>c<$1>z<$1>", "0-1 1-3 1-3 1-3 1-3 3-4 4-4 4-4 4-4 4-4 4-5 5-5 5-5 5-5 5-5"), Apply(replace, "abbcz"));
        Assert.Equal(("<$1>", "0-0 0-0 0-0 0-0"), Apply(replace, ""));
        Assert.Equal(("🙂x𝒜", "0-1 1-2 2-3 3-4 4-5"), Apply(new ReplaceNormalizer(new Regex(@"y(?=\p{Lu})"), ""), "🙂x𝒜"));
        Assert.Equal(("𝒜x", "1-2 2-3 3-4"), Apply(new ReplaceNormalizer(new Regex(@"y(?=\p{Lu})"), ""), "y𝒜x"));
    }

    // The runtime composes only where the program does not run with invariant globalization, as this project's programs do.
    [Fact]
    public void ComposesOrSaysThatItCannot()
    {
        if (CompositionNormalizer.IsAvailable)
        {
            var compose = new CompositionNormalizer();
            Assert.Equal(("éx", "0-2 2-3"), Apply(compose, "e\u0301x"));
            Assert.Equal(("각ǻ", "0-3 3-6"), Apply(compose, "\u1100\u1161\u11A8a\u030A\u0301"));
            return;
        }
        string file = File.ReadAllText(GoldenTokenizer.FileOf("spaced")).Replace("\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}", StringComparison.Ordinal);
        var e = Assert.Throws<InvalidDataException>(() => Tokenizer.Load(_folder.Write("tokenizer.json", file)));
        Assert.Contains("tokenizer.json: normalizer: not supported: NFC needs a process that does not run with invariant globalization", e.Message, StringComparison.Ordinal);
    }
}
