using Tern.Pipelines.Demo;
using Xunit;

namespace Tern.Pipelines.Tests.Demo;

public class TimeDivisionTests
{
    [Fact]
    public void WhatIsLeftIsShared()
    {
        // 300 − 40 − 60 = 200 s: 120 s at 0.5 s a step and 80 s at 0.25.
        Assert.Equal((240, 320), TimeDivision.Divide(300, 40, 60, 0.6, 0.5, 0.25));
    }

    [Fact]
    public void NoTimeLeftStillTrainsTheLeast() =>
        Assert.Equal((TimeDivision.LeastSteps, TimeDivision.LeastSteps), TimeDivision.Divide(10, 40, 60, 0.6, 0.5, 0.25));

    [Theory]
    [InlineData(0)]
    [InlineData(double.NaN)]
    public void AStepThatTookNoTimeIsRefused(double seconds) =>
        Assert.ThrowsAny<ArgumentException>(() => TimeDivision.Divide(300, 0, 0, 0.5, seconds, 1));
}
