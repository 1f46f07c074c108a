using Xunit;

namespace Tern.Retrieval.Tests.Bm25;

public class LuceneLengthTests
{
    [Theory]
    [InlineData(0, 0)]
    [InlineData(39, 39)]
    [InlineData(40, 40)]
    [InlineData(41, 40)]
    [InlineData(42, 42)]
    [InlineData(100, 96)]
    [InlineData(1000, 984)]
    [InlineData(int.MaxValue, 2013265944)]
    public void KeepsFourBitsAboveForty(int length, int decoded) => Assert.Equal(decoded, LuceneLength.Decode(LuceneLength.Encode(length)));

    [Fact]
    public void EveryCodeIsItsOwnLengthAndTheyAscend()
    {
        for (int code = 0; code < 256; code++)
        {
            Assert.Equal(code, LuceneLength.Encode(LuceneLength.Decode((byte)code)));
            Assert.True(code == 0 || LuceneLength.Decode((byte)code) > LuceneLength.Decode((byte)(code - 1)));
        }
    }
}
