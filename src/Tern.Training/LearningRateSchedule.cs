namespace Tern.Training;

/// <summary>
/// Linear warm-up, then linear decay, over 1-based steps: s / W up to step W, then (S + 1 − s) / (S + 1 − W).
/// No step has rate 0, so neither the first nor the last step is wasted.
/// </summary>
public readonly record struct LearningRateSchedule(double Peak, int WarmupSteps, int StepCount)
{
    public double At(int step) => step <= WarmupSteps
        ? Peak * step / WarmupSteps
        : Peak * Math.Max(0, StepCount + 1 - step) / (StepCount + 1 - WarmupSteps);
}

/// <summary>λ(t) = λ · min(1, t / T)² over 1-based steps: λ / T² at the first, λ from step T on.</summary>
public readonly record struct RegularizerSchedule(double Weight, int RampSteps)
{
    public double At(int step)
    {
        double progress = Math.Min(1.0, (double)step / RampSteps);
        return Weight * progress * progress;
    }
}
