namespace Tern.Pipelines.Demo;

/// <summary>
/// Turns wall time into step counts, once, before training: the counts are what a run is reproduced from, the clock has
/// no say after this.
/// </summary>
public static class TimeDivision
{
    /// <summary>Fewer steps than this teach nothing; the demo rather takes longer than asked.</summary>
    public const int LeastSteps = 20;

    /// <summary>
    /// Shares what <paramref name="spent"/> and <paramref name="reserved"/> leave of <paramref name="total"/> seconds between
    /// the models, given what one step of each was measured to take.
    /// </summary>
    public static (int Sparse, int Dense) Divide(double total, double spent, double reserved, double sparseShare, double sparseStepSeconds, double denseStepSeconds)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(sparseStepSeconds);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(denseStepSeconds);
        double left = Math.Max(0, total - spent - reserved);
        return (Steps(left * sparseShare / sparseStepSeconds), Steps(left * (1 - sparseShare) / denseStepSeconds));
    }

    private static int Steps(double count) => Math.Max(LeastSteps, (int)Math.Floor(count));
}
