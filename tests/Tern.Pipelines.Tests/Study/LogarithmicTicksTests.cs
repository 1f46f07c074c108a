using Tern.Pipelines.Study;
using Xunit;

namespace Tern.Pipelines.Tests.Study;

public sealed class LogarithmicTicksTests
{
    [Theory]
    [InlineData(9e4, 4e5, "100 k, 200 k, 300 k")]
    [InlineData(8e4, 4e6, "100 k, 300 k, 1 M, 3 M")]
    [InlineData(1e10, 1e14, "1e10, 1e11, 1e12, 1e13, 1e14")]
    [InlineData(1, 1e18, "1, 1 k, 1 M, 1e9, 1e12, 1e15, 1e18")]
    [InlineData(42, 48, "42, 44, 46, 48")]
    public void TicksAreRound(double low, double high, string expected) =>
        Assert.Equal(expected, string.Join(", ", LogarithmicTicks.Between(low, high).Select(LogarithmicTicks.Label)));

    [Fact]
    public void TheyAscendWithinTheRangeAndAreFew()
    {
        foreach ((double low, double high) in new[] { (1.0, 1.0), (3, 8), (95, 105), (1e-3, 1e9), (1e5, 3.2e6), (60, 9000) })
        {
            IReadOnlyList<double> ticks = LogarithmicTicks.Between(low, high);
            Assert.Equal(ticks.Order().Distinct(), ticks);
            Assert.All(ticks, t => Assert.InRange(t, low, high));
            Assert.InRange(ticks.Count, 0, 10);
        }

        Assert.Throws<ArgumentException>(() => LogarithmicTicks.Between(0, 1));
    }
}
