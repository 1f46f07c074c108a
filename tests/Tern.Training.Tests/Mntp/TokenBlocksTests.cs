using Xunit;

namespace Tern.Training.Tests.Mntp;

public sealed class TokenBlocksTests
{
    /// <summary>2,500 texts of 3 numbers behind a 0 that stands for BOS: 4,000 tokens a thousand, of which blocks of 512 leave 416 over.</summary>
    [Fact]
    public void EachThousandsRemainderIsDropped()
    {
        IEnumerable<string> texts = Enumerable.Range(0, 2500).Select(i => $"{i}");
        TokenBlocks blocks = TokenBlocks.Pack(texts, Encode, 512, "numbers");

        Assert.Equal(7 + 7 + 3, blocks.Count);
        for (int block = 0; block < blocks.Count; block++)
        {
            (int group, int first) = block < 7 ? (0, block) : block < 14 ? (1, block - 7) : (2, block - 14);
            for (int t = 0; t < 512; t++)
            {
                int place = (first * 512) + t;
                int text = (group * 1000) + (place / 4);
                Assert.Equal(place % 4 == 0 ? 0 : text + (place % 4), blocks[block][t]);
            }
        }

        (TokenBlocks heldOut, TokenBlocks others) = blocks.Split();
        Assert.Equal((1, 16), (heldOut.Count, others.Count));
        Assert.Equal(blocks[0], heldOut[0]);
        Assert.Equal(blocks[16], others[15]);
        Assert.NotEqual(blocks.Fingerprint, others.Fingerprint);
        Assert.Equal(blocks.Fingerprint, TokenBlocks.Pack(texts, Encode, 512, "numbers").Fingerprint);
    }

    [Fact]
    public void TooLittleTextIsSaid()
    {
        Assert.Contains("numbers: not enough text", Assert.Throws<InvalidDataException>(() => TokenBlocks.Pack(["1"], Encode, 512, "numbers")).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() => TokenBlocks.Pack(["1"], Encode, 4, "numbers").Split());
    }

    private static void Encode(string text, List<int> ids)
    {
        int number = int.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
        ids.AddRange([0, number + 1, number + 2, number + 3]);
    }
}
