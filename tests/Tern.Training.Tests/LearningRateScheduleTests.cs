using Xunit;

namespace Tern.Training.Tests;

public sealed class LearningRateScheduleTests
{
    [Theory]
    [InlineData(1, 0.25)]
    [InlineData(2, 0.5)]
    [InlineData(4, 1.0)]
    [InlineData(5, 6.0 / 7)]
    [InlineData(10, 1.0 / 7)]
    [InlineData(11, 0.0)]
    public void RisesOverTheWarmUpThenFalls(int step, double expected) =>
        Assert.Equal(expected, new LearningRateSchedule(1.0, 4, 10).At(step), 12);

    [Theory]
    [InlineData(1, 10.0 / 11)]
    [InlineData(10, 1.0 / 11)]
    public void WithoutWarmUpItOnlyFalls(int step, double expected) =>
        Assert.Equal(expected, new LearningRateSchedule(1.0, 0, 10).At(step), 12);

    [Fact]
    public void NoStepOfARunHasRateZero()
    {
        for (int warmup = 0; warmup <= 10; warmup++)
        {
            for (int step = 1; step <= 10; step++)
            {
                Assert.InRange(new LearningRateSchedule(1.0, warmup, 10).At(step), 1e-3, 1.0);
            }
        }
    }
}

public sealed class RegularizerScheduleTests
{
    [Theory]
    [InlineData(1, 0.05 / 100)]
    [InlineData(5, 0.05 / 4)]
    [InlineData(10, 0.05)]
    [InlineData(11, 0.05)]
    [InlineData(1000, 0.05)]
    public void RisesQuadraticallyFromTheFirstStepAndSaturates(int step, double expected) =>
        Assert.Equal(expected, new RegularizerSchedule(0.05, 10).At(step), 12);

    [Fact]
    public void TheRampIsAThirdOfTheRunUnlessSaid()
    {
        Assert.Equal(11_083, new TrainingOptions { StepCount = 33_250 }.RampSteps);
        Assert.Equal(7, new TrainingOptions { StepCount = 33_250, FlopsRampSteps = 7 }.RampSteps);
        Assert.Equal(1, new TrainingOptions { StepCount = 2 }.RampSteps);
    }
}
