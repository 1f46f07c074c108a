using Tern.Pipelines.Study;
using Xunit;

namespace Tern.Pipelines.Tests.Study;

public sealed class PowerLawTests
{
    [Fact]
    public void AnExactLawIsFoundAgain()
    {
        double[] x = [1e5, 4e5, 1.3e6, 3.1e6];
        PowerLaw law = PowerLaw.Fit(x, [.. x.Select(v => 3.5 * Math.Pow(v, -0.21))]);
        Assert.Equal(3.5, law.Scale, 9);
        Assert.Equal(-0.21, law.Exponent, 12);
        Assert.Equal(1, law.R2, 12);
        Assert.Equal(3.5 * Math.Pow(7e5, -0.21), law.At(7e5), 9);
    }

    [Fact]
    public void LeastSquaresOfLogarithms()
    {
        // Logarithms 0, 1, 2 and 1, 0, 2: the slope of 0.5 and the intercept of 0.5 can be checked by hand.
        PowerLaw law = PowerLaw.Fit([1, Math.E, Math.E * Math.E], [Math.E, 1, Math.E * Math.E]);
        Assert.Equal(0.5, law.Exponent, 12);
        Assert.Equal(Math.Exp(0.5), law.Scale, 12);
        Assert.Equal(0.25, law.R2, 12);
    }

    [Theory]
    [InlineData(new double[] { 5, 5 }, new double[] { 1, 2 })]
    [InlineData(new double[] { 1, 2 }, new double[] { 1, 0 })]
    [InlineData(new double[] { 1, 2 }, new double[] { 1 })]
    public void WhatHasNoLawIsRefused(double[] x, double[] y) => Assert.Throws<ArgumentException>(() => PowerLaw.Fit(x, y));
}
