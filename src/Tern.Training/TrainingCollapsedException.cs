namespace Tern.Training;

/// <summary>Training was stopped because going on is pointless; the message says why, where, how far and what to try.</summary>
public sealed class TrainingCollapsedException : Exception
{
    public TrainingCollapsedException(int step, string symptom, string advice)
        : base($"training collapsed at step {step}: {symptom}; {advice}")
    {
        Step = step;
        Symptom = symptom;
    }

    /// <summary>The 1-based step at which it was seen.</summary>
    public int Step { get; }

    /// <summary>What was seen, with its value.</summary>
    public string Symptom { get; }
}
