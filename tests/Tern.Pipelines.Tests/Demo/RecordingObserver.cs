using Tern.Model;
using Tern.Pipelines.Demo;
using Tern.Training;
using Xunit;

namespace Tern.Pipelines.Tests.Demo;

/// <summary>Remembers which stages ran and which were reused.</summary>
internal sealed class RecordingObserver : IDemoObserver
{
    public List<string> Ran { get; } = [];

    public List<string> Reused { get; } = [];

    public List<string> Summaries { get; } = [];

    public int TrainingReports { get; private set; }

    /// <summary>Called after every training step.</summary>
    public Action<RepresentationKind, TrainingProgress>? OnTraining { get; init; }

    public void StageStarted(string name, string title)
    {
    }

    public void Progress(string what, long done, long total) => Assert.InRange(done, 0, total);

    public TrainingResult Train(RepresentationKind kind, Func<IProgress<TrainingProgress>, TrainingResult> run) => run(new Relay(this, kind));

    public void StageFinished(string name, string title, string summary, double seconds, bool reused)
    {
        (reused ? Reused : Ran).Add(name);
        Summaries.Add(summary);
    }

    private sealed class Relay(RecordingObserver observer, RepresentationKind kind) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            observer.TrainingReports++;
            observer.OnTraining?.Invoke(kind, value);
        }
    }
}
