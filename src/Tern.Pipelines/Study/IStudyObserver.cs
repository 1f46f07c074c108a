using Tern.Training;

namespace Tern.Pipelines.Study;

/// <summary>Told what a study is doing while it does it, on the thread that runs it.</summary>
public interface IStudyObserver
{
    /// <summary>A cell is begun or gone on with; <paramref name="number"/> counts from 1.</summary>
    void CellStarted(StudyCell cell, int number, int count);

    /// <summary>What the cell is doing now, other than training.</summary>
    void Working(StudyCell cell, string what);

    /// <summary>An earlier run's training is gone on with, from this step of so many.</summary>
    void Resumed(StudyCell cell, int step, int stepCount);

    /// <summary>After every training step.</summary>
    void Trained(StudyCell cell, TrainingProgress progress);

    /// <summary><paramref name="reused"/>: an earlier run had finished it.</summary>
    void CellFinished(StudyCell cell, CellRecord record, bool reused);

    /// <summary>The cell failed and the study goes on; or another process works on it.</summary>
    void CellLeft(StudyCell cell, string why);
}
