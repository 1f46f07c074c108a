using System.Diagnostics;
using Tern.Compute;
using Tern.Model;

namespace Tern.Training;

/// <summary>
/// A time budget turned into a step count once, before training, so that the run itself depends on no clock: the schedules
/// are stretched over <see cref="StepCount"/>, which is recorded with the options.
/// </summary>
/// <param name="StepCount">What fits into the budget, at least 1.</param>
/// <param name="SecondsPerStep">Median of the timed steps.</param>
/// <param name="TimedStepCount">How many there were.</param>
public sealed record StepBudget(int StepCount, double SecondsPerStep, int TimedStepCount)
{
    /// <summary>
    /// Times whole steps on the run's first batches, for about a tenth of the budget at most, and takes the time spent off it. The
    /// network's weights are left bit for bit as they were. The step count in the options is not used.
    /// </summary>
    public static StepBudget Measure(IBackend backend, RetrieverNetwork network, TrainingSet set, TrainingOptions options, TimeSpan budget, int warmUpSteps = 3, int timedSteps = 9)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(budget, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfNegative(warmUpSteps);
        ArgumentOutOfRangeException.ThrowIfLessThan(timedSteps, 1);
        using RetrieverTrainer trainer = new(backend, network, set, options with { CheckpointDirectory = null, CollapseCheckInterval = 0 });
        long start = Stopwatch.GetTimestamp();
        List<double> seconds = [];
        for (int step = 1; step <= warmUpSteps + timedSteps; step++)
        {
            long before = Stopwatch.GetTimestamp();
            trainer.Rehearse(step);
            if (step > warmUpSteps)
            {
                seconds.Add(Stopwatch.GetElapsedTime(before).TotalSeconds);
                if (Stopwatch.GetElapsedTime(start) > budget / 10)
                {
                    break;
                }
            }
        }

        seconds.Sort();
        double median = seconds[seconds.Count / 2];
        double left = (budget - Stopwatch.GetElapsedTime(start)).TotalSeconds;
        return new StepBudget(Math.Max(1, (int)Math.Min(left / median, int.MaxValue / 2)), median, seconds.Count);
    }
}
