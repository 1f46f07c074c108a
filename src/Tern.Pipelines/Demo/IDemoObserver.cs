using Tern.Model;
using Tern.Training;

namespace Tern.Pipelines.Demo;

/// <summary>Told what the demo is doing while it does it, on the thread that runs it.</summary>
public interface IDemoObserver
{
    void StageStarted(string name, string title);

    /// <summary>How far the stage is; reported several times a second at most.</summary>
    void Progress(string what, long done, long total);

    /// <summary>Calls <paramref name="run"/> once, with something that shows or ignores each step, and returns what it returns.</summary>
    TrainingResult Train(RepresentationKind kind, Func<IProgress<TrainingProgress>, TrainingResult> run);

    /// <summary><paramref name="reused"/>: an earlier run had done it; seconds are then those of that run.</summary>
    void StageFinished(string name, string title, string summary, double seconds, bool reused);
}
