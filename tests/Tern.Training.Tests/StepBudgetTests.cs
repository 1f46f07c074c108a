using Tern.Compute.Cpu;
using Tern.Model;
using Xunit;

namespace Tern.Training.Tests;

public sealed class StepBudgetTests
{
    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void MeasuringLeavesNoTraceInTheRun(RepresentationKind kind)
    {
        TrainingOptions options = new() { StepCount = 5, BatchSize = 8, LearningRate = 0.01f, Optimizer = new() { WeightDecay = 0.1f } };
        TrainingSet set = TinyModels.TranslatedSet(40);
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork measured = TinyModels.Network(backend, kind);
        using RetrieverNetwork plain = TinyModels.Network(backend, kind);

        StepBudget budget = StepBudget.Measure(backend, measured, set, options, TimeSpan.FromSeconds(60), warmUpSteps: 1, timedSteps: 3);

        Assert.InRange(budget.TimedStepCount, 1, 3);
        Assert.True(budget.SecondsPerStep > 0);
        Assert.InRange(budget.StepCount, 1, 60 / budget.SecondsPerStep);
        Assert.Equal(RetrieverTrainerTests.Values(plain), RetrieverTrainerTests.Values(measured));
        using RetrieverTrainer measuredTrainer = new(backend, measured, set, options);
        using RetrieverTrainer plainTrainer = new(backend, plain, set, options);
        Assert.Equal(plainTrainer.Run().History, measuredTrainer.Run().History);
    }
}
