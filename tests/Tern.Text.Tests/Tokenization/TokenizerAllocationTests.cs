using Tern.TestKit;

namespace Tern.Text.Tests.Tokenization;

public sealed class TokenizerAllocationTests
{
    private const string Letters = "abcdefghijklmnopqrstuvwxyzéüñ東京🐦🙂 \t.,:-_'1234567890ABCÀ";

    /// <summary>Texts never seen before, words that no cache holds, surrogates, a prefix and a limit.</summary>
    [Theory]
    [InlineData("spaced")]
    [InlineData("words")]
    public void UnseenTextsAllocateNothing(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(GoldenTokenizer.FileOf(name));
        var random = new Random(1);
        char[] text = new char[400];
        var ids = new List<int>(4096);
        var options = new TokenizationOptions(false, false, "query: ", 300);
        for (int warm = 0; warm < 50; warm++)
        {
            Encode();
        }

        Assert.Equal(0, Allocations.Fewest(Encode));
        Assert.NotEmpty(ids);

        void Encode()
        {
            for (int repeat = 0; repeat < 20; repeat++)
            {
                for (int i = 0; i < text.Length; i++)
                {
                    text[i] = Letters[random.Next(Letters.Length)];
                }

                ids.Clear();
                tokenizer.Encode(text, options, ids);
                ids.Clear();
                tokenizer.Encode(text, ids, parseSpecialTokens: true);
            }
        }
    }

    /// <summary>One word of many bytes: its merges are made in the same order as in a short one.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void LongWordsMergeAsTheSlowTokenizerMergesThem(int seed)
    {
        var oracle = new NaiveBytePairs(GoldenTokenizer.FileOf("spaced"), words: false);
        Tokenizer tokenizer = Tokenizer.Load(GoldenTokenizer.FileOf("spaced"));
        var random = new Random(seed);
        for (int length = 1; length < 2000; length += 1 + (length / 3))
        {
            string text = string.Concat(Enumerable.Range(0, length).Select(_ => "etaonshé"[random.Next(8)]));
            var ids = new List<int>();
            tokenizer.Encode(text, ids);
            Assert.Equal(oracle.Encode(text, false), ids);
        }
    }
}
