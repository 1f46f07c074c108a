using Xunit;

namespace Tern.Cli.Tests;

public class TermBarsTests
{
    [Theory]
    [InlineData(0, "")]
    [InlineData(1, "████")]
    [InlineData(0.5, "██")]
    [InlineData(0.28125, "█▏")]
    [InlineData(0.46875, "█▉")]
    [InlineData(7, "████")]
    public void BarsCountEighths(double share, string expected)
    {
        Assert.Equal(expected, TermBars.Bar(share, 4));
    }

    [Theory]
    [InlineData(" paris", "paris")]
    [InlineData(" ", "␣")]
    [InlineData("\n", "⏎")]
    [InlineData("a\u0001", "a\\x01")]
    public void TokensArePrintable(string token, string expected)
    {
        Assert.Equal(expected, TermBars.Visible(token));
    }

    [Fact]
    public void PlainTermsSayWhatIsLeftOut()
    {
        MatchedTerm[] terms = [new(" copy", 1, 1, 2.5f, false), new(" [clone]", 1, 1, 1.25f, true), new(" x", 1, 1, 0.5f, false), new(" y", 1, 1, 0.25f, false)];
        Assert.Equal("copy 2.50, +[[clone]] 1.25 … 2 more 0.75", TermBars.Markup(terms, 2, bars: false));
        Assert.Equal("copy 2.50 … 3 more 2.00", TermBars.Markup(terms, 4, bars: false, width: 30));
        Assert.Equal("", TermBars.Markup([], 2, bars: false));
    }
}
