using System.Text.RegularExpressions;

namespace Tern.Text.Tests.Tokenization;

public sealed class NormalizersTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static (string Text, string Ranges) Apply(INormalizer normalizer, string text)
    {
        AlignedText result = normalizer.Apply(AlignedText.Of(text, withOffsets: true));
        Assert.Equal(result.Text, normalizer.Apply(AlignedText.Of(text, withOffsets: false)).Text);
        return (result.Text, string.Join(' ', result.Starts!.Zip(result.Ends!).Select(r => $"{r.First}-{r.Second}")));
    }

    [Fact]
    public void Lowercase()
    {
        var lowercase = new LowercaseNormalizer();
        Assert.Equal(("aé𐐨", "0-1 1-2 2-3 3-4"), Apply(lowercase, "AÉ𐐀"));
        Assert.Equal(("xi\u0307y", "0-1 1-2 1-2 2-3"), Apply(lowercase, "X\u0130Y"));
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
