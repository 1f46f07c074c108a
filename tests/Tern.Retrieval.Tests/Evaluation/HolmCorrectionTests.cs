using Xunit;

namespace Tern.Retrieval.Tests.Evaluation;

public class HolmCorrectionTests
{
    [Theory]
    [InlineData(new[] { 0.01, 0.04, 0.03, 0.005 }, new[] { 0.03, 0.06, 0.06, 0.02 })]
    [InlineData(new[] { 0.2 }, new[] { 0.2 })]
    [InlineData(new[] { 0.9, 0.8, 0.7 }, new[] { 1.0, 1.0, 1.0 })]
    [InlineData(new[] { 0.02, 0.02, 0.02 }, new[] { 0.06, 0.06, 0.06 })]
    [InlineData(new double[0], new double[0])]
    public void AdjustsByHand(double[] pValues, double[] expected) =>
        Assert.Equal(expected, HolmCorrection.Adjust(pValues).Select(p => Math.Round(p, 12)));
}
