using Tern.Compute;
using Tern.Compute.Counting;
using Tern.Compute.Memory;
using Tern.Model;

namespace Tern.Training.Planning;

/// <summary>
/// The floating-point operations of a training, counted by walking the trainer over a backend that computes nothing: the batches are
/// the run's own, so that their lengths are. What is counted is <see cref="FlopCounts"/>' affair.
/// </summary>
public static class FlopPlan
{
    /// <summary>Operations of the steps <paramref name="firstStep"/> to <paramref name="lastStep"/> of the run, both included, from 1 on.</summary>
    /// <param name="weights">Makes weights like the run's on a backend.</param>
    public static double Count(Func<IBackend, LlamaWeights> weights, RetrieverContract contract, TrainingSet set, TrainingOptions options, int firstStep, int lastStep)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentOutOfRangeException.ThrowIfLessThan(firstStep, 1);
        using PlanningBackend planning = new();
        FlopCountingBackend counting = new(planning);
        using RetrieverNetwork network = new(counting, weights(counting), contract);
        using RetrieverTrainer trainer = new(counting, network, set, options with { CheckpointDirectory = null, CollapseCheckInterval = 0 }) { LooksAtVectors = false };
        for (int step = firstStep; step <= lastStep; step++)
        {
            trainer.Rehearse(step);
        }

        return counting.Counts.Total;
    }

    /// <summary>
    /// The number of steps whose operations come nearest to a budget, at least 1, by the mean of <paramref name="walkedSteps"/> steps. The
    /// step count in the options is not used.
    /// </summary>
    public static (int StepCount, double FlopsPerStep) Within(double budget, Func<IBackend, LlamaWeights> weights, RetrieverContract contract, TrainingSet set, TrainingOptions options, int walkedSteps = 64)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(budget, 0);
        double mean = Count(weights, contract, set, options with { StepCount = walkedSteps }, 1, walkedSteps) / walkedSteps;
        return ((int)Math.Clamp(Math.Round(budget / mean), 1, int.MaxValue / 2), mean);
    }
}
