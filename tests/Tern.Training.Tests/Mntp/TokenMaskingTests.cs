using Xunit;

namespace Tern.Training.Tests.Mntp;

/// <summary>The 80/10/10 rule as frequencies, within five standard deviations.</summary>
public sealed class TokenMaskingTests
{
    private const int Bos = 0, Mask = 3, Vocabulary = 1000, Length = 512, Blocks = 400;

    private static readonly TokenMasking Masking = new() { MaskTokenId = Mask, VocabularySize = Vocabulary, SpecialIds = new HashSet<int> { Bos } };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AFifthIsChosenAndHiddenAsTheRuleSays(bool masksAll)
    {
        TokenMasking masking = Masking with { MasksAll = masksAll };
        int choosable = 0, chosen = 0, hidden = 0, random = 0, kept = 0;
        int[] masked = new int[Length], rows = new int[Length], labels = new int[Length];
        for (int b = 0; b < Blocks; b++)
        {
            int[] block = Block(b);
            int count = masking.Apply(block, 9, 2, b, masked, rows, labels);
            choosable += block.Skip(1).Count(t => t != Bos);
            chosen += count;
            for (int m = 0; m < count; m++)
            {
                int t = rows[m] + 1;
                Assert.Equal(block[t], labels[m]);
                Assert.NotEqual(Bos, labels[m]);
                hidden += masked[t] == Mask ? 1 : 0;
                kept += masked[t] == block[t] ? 1 : 0;
                random += masked[t] != Mask && masked[t] != block[t] ? 1 : 0;
            }

            HashSet<int> predicted = [.. rows.Take(count).Select(r => r + 1)];
            for (int t = 1; t < Length; t++)
            {
                Assert.True(predicted.Contains(t) || masked[t] == block[t], "a token was hidden that nobody is to predict");
            }
        }

        Near(0.2, chosen, choosable);
        Near(masksAll ? 1 : 0.8, hidden, chosen);
        Near(masksAll ? 0 : 0.1, random, chosen);
        Near(masksAll ? 0 : 0.1, kept, chosen);
    }

    [Fact]
    public void MasksFollowSeedEpochAndBlock()
    {
        int[] block = Block(0);
        int[] first = Apply(1, 0, 0);
        Assert.Equal(first, Apply(1, 0, 0));
        Assert.NotEqual(first, Apply(2, 0, 0));
        Assert.NotEqual(first, Apply(1, 1, 0));
        Assert.NotEqual(first, Apply(1, 0, 1));

        int[] Apply(ulong seed, long epoch, int number)
        {
            int[] masked = new int[Length];
            Masking.Apply(block, seed, epoch, number, masked, new int[Length], new int[Length]);
            return masked;
        }
    }

    [Fact]
    public void ValuesOutOfRangeAreNamed()
    {
        Assert.Contains("Probability is 1", Assert.Throws<ArgumentException>((Masking with { Probability = 1 }).Validate).Message, StringComparison.Ordinal);
        Assert.Contains("MaskTokenId is 1000", Assert.Throws<ArgumentException>((Masking with { MaskTokenId = 1000 }).Validate).Message, StringComparison.Ordinal);
    }

    /// <summary>Tokens apart from the mask's, so that what hides them can be told; a BOS every fifty.</summary>
    private static int[] Block(int seed)
    {
        SeededRandom random = new((ulong)seed, 5, 5);
        int[] block = new int[Length];
        for (int t = 0; t < Length; t++)
        {
            block[t] = t % 50 == 0 ? Bos : 10 + random.Below(Vocabulary - 10);
        }

        return block;
    }

    private static void Near(double expected, int count, int of)
    {
        // A random token is the old one or the mask one time in a thousand.
        double limit = (5 * Math.Sqrt(expected * (1 - expected) / of)) + 0.0004;
        Assert.InRange((double)count / of, expected - limit, expected + limit);
    }
}
