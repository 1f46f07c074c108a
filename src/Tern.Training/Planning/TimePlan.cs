using System.Diagnostics;
using Tern.Compute;
using Tern.Model;

namespace Tern.Training.Planning;

/// <summary>
/// How long a run will take, told before it by whole steps that are timed on its first batches. They train nothing, and no number of the
/// run depends on them.
/// </summary>
/// <param name="SecondsPerStep">Mean of the timed steps but for the first third of them, which compile code and grow memory.</param>
/// <param name="StepCount">Of the run.</param>
/// <param name="TimedStepCount">How many were timed, the first third not counted.</param>
public sealed record TimePlan(double SecondsPerStep, int StepCount, int TimedStepCount)
{
    /// <summary>The part of a run's steps that may be spent on the plan, and how long it takes at most where a step is short.</summary>
    private const double ShareOfRun = 0.05;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    private const int FewestSteps = 3;

    public double Seconds => SecondsPerStep * StepCount;

    /// <summary>Null where the run is so short that a plan of it would take a good part of its time.</summary>
    /// <param name="network">The run's own; its weights are left bit for bit as they are.</param>
    public static TimePlan? Measure(IBackend backend, RetrieverNetwork network, TrainingSet set, TrainingOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        int affordable = (int)(ShareOfRun * options.StepCount);
        if (affordable < FewestSteps)
        {
            return null;
        }

        using RetrieverTrainer trainer = new(backend, network, set, options with { CheckpointDirectory = null, CollapseCheckInterval = 0 });
        List<double> seconds = [];
        long start = Stopwatch.GetTimestamp();
        while (seconds.Count < affordable && (seconds.Count < FewestSteps || Stopwatch.GetElapsedTime(start) < Patience))
        {
            long before = Stopwatch.GetTimestamp();
            trainer.Rehearse(seconds.Count + 1);
            seconds.Add(Stopwatch.GetElapsedTime(before).TotalSeconds);
        }

        double[] warm = [.. seconds.Skip(seconds.Count / 3)];
        return new TimePlan(warm.Average(), options.StepCount, warm.Length);
    }

    public override string ToString() => FormattableString.Invariant($"time plan: {Text(Seconds)}: {StepCount} steps of {Milliseconds} ms, the mean of {TimedStepCount} timed before");

    /// <summary>Seconds in the unit that a reader wants.</summary>
    public static string Text(double seconds) => seconds switch
    {
        < 120 => FormattableString.Invariant($"{seconds:0} s"),
        < 7200 => FormattableString.Invariant($"{seconds / 60:0} min"),
        < 172800 => FormattableString.Invariant($"{seconds / 3600:0.0} h"),
        _ => FormattableString.Invariant($"{seconds / 86400:0.0} days"),
    };

    private string Milliseconds => (1000 * SecondsPerStep).ToString(SecondsPerStep < 0.1 ? "0.0" : "0", System.Globalization.CultureInfo.InvariantCulture);
}
