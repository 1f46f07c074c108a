namespace Tern.Training;

/// <summary>
/// Steers a regulariser's weight to a wanted number of non-zeros: after every step the weight's factor is multiplied by
/// (non-zeros / target)^gain. A pure function of the steps before, so that resuming needs no state of its own.
/// </summary>
internal sealed class SparsityController(double target, Func<TrainingStep, double> nonZeros)
{
    /// <summary>At twice the target the weight doubles in 50 steps: slow against the means of batches, quick against a run.</summary>
    public const double Gain = 0.02;

    /// <summary>Least and greatest factor, so that an unreachable target neither switches the regulariser off nor silences the vectors.</summary>
    private const double Limit = 1000;

    private double _logarithm;
    private int _counted;

    /// <summary>The factor on the weight in the step after these; always 1 without a target (0).</summary>
    public double After(IReadOnlyList<TrainingStep> history)
    {
        if (target <= 0)
        {
            return 1;
        }

        if (history.Count < _counted)
        {
            (_logarithm, _counted) = (0, 0);
        }

        for (; _counted < history.Count; _counted++)
        {
            double error = Math.Log(Math.Max(nonZeros(history[_counted]), 1) / target);
            _logarithm = Math.Clamp(_logarithm + (Gain * error), -Math.Log(Limit), Math.Log(Limit));
        }

        return Math.Exp(_logarithm);
    }
}
