using Tern.Compute.Cpu;
using Tern.Model;
using Tern.Training.Planning;
using Xunit;

namespace Tern.Training.Tests.Planning;

public sealed class TimePlanTests
{
    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void TimingLeavesNoTraceInTheRun(RepresentationKind kind)
    {
        TrainingOptions options = new() { StepCount = 80, BatchSize = 8, LearningRate = 0.01f, Optimizer = new() { WeightDecay = 0.1f } };
        TrainingSet set = TinyModels.TranslatedSet(40);
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork timed = TinyModels.Network(backend, kind), plain = TinyModels.Network(backend, kind);
        TimePlan plan = TimePlan.Measure(backend, timed, set, options)!;
        Assert.Equal(80, plan.StepCount);
        Assert.Equal(3, plan.TimedStepCount); // A twentieth are 4, of which a third warms up.
        Assert.True(plan.SecondsPerStep > 0);
        Assert.Equal(80 * plan.SecondsPerStep, plan.Seconds);
        Assert.Equal(RetrieverTrainerTests.Values(plain), RetrieverTrainerTests.Values(timed));
        using RetrieverTrainer timedTrainer = new(backend, timed, set, options), plainTrainer = new(backend, plain, set, options);
        Assert.Equal(plainTrainer.Run().History, timedTrainer.Run().History);
    }

    [Fact]
    public void AShortRunHasNone()
    {
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = TinyModels.Network(backend, RepresentationKind.Dense);
        Assert.Null(TimePlan.Measure(backend, network, TinyModels.TranslatedSet(40), new TrainingOptions { StepCount = 40, BatchSize = 8 }));
    }

    [Theory]
    [InlineData(3.2, "3 s")]
    [InlineData(156, "3 min")]
    [InlineData(9000, "2.5 h")]
    [InlineData(864000, "10.0 days")]
    public void TimesAreInTheUnitOfAReader(double seconds, string expected) => Assert.Equal(expected, TimePlan.Text(seconds));
}
