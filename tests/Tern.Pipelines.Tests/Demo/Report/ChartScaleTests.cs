using Tern.Pipelines.Demo.Report;
using Xunit;

namespace Tern.Pipelines.Tests.Demo.Report;

public class ChartScaleTests
{
    [Theory]
    [InlineData(0, 4.3, new[] { 0.0, 1, 2, 3, 4, 5 })]
    [InlineData(0, 1000, new[] { 0.0, 200, 400, 600, 800, 1000 })]
    [InlineData(-1, 1, new[] { -1.0, -0.5, 0, 0.5, 1 })]
    [InlineData(3, 3, new[] { 3.0, 3.2, 3.4, 3.6, 3.8, 4.0 })]
    public void TicksAreRoundAndCoverTheRange(double low, double high, double[] expected)
    {
        ChartScale scale = ChartScale.Spanning(low, high, 100, 0, 5);
        Assert.Equal(expected.Length, scale.Ticks.Count);
        Assert.All(expected.Zip(scale.Ticks), pair => Assert.Equal(pair.First, pair.Second, 1e-9));
        Assert.Equal(100, scale.Position(scale.Ticks[0]), 1e-9);
        Assert.Equal(0, scale.Position(scale.Ticks[^1]), 1e-9);
    }

    [Fact]
    public void ATightScaleEndsAtItsValues()
    {
        ChartScale scale = ChartScale.Spanning(0, 437, 0, 437, 6, tight: true);
        Assert.Equal([0, 100, 200, 300, 400], scale.Ticks);
        Assert.Equal(437, scale.Position(437), 1e-9);
    }

    [Fact]
    public void ThinningKeepsTheMean()
    {
        (double X, double Y)[] points = [.. Enumerable.Range(0, 1000).Select(i => ((double)i, (double)(i % 10)))];
        IReadOnlyList<(double X, double Y)> thinned = LineChart.Thin(points, 100);
        Assert.Equal(100, thinned.Count);
        Assert.All(thinned, p => Assert.Equal(4.5, p.Y, 1e-9));
        Assert.Equal(4.5, thinned[0].X, 1e-9);
    }
}
