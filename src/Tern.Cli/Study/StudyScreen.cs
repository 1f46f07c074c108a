using Tern.Pipelines.Study;
using Tern.Training;

namespace Tern.Cli;

/// <summary>A study on the terminal: a line for each cell, and one that is written over while a cell trains.</summary>
internal sealed class StudyScreen(Terminal terminal) : IStudyObserver
{
    private string _place = "";
    private long _lastReport;

    public void CellStarted(StudyCell cell, int number, int count) => _place = Invariant($"[{number}/{count}] {cell.Name}");

    public void Working(StudyCell cell, string what) => Over($"{_place}: {what}");

    public void Resumed(StudyCell cell, int step, int stepCount)
    {
        Over("");
        terminal.Out.WriteLine(Invariant($"{cell.Name}: goes on from step {step:#,0} of {stepCount:#,0}"));
    }

    public void Trained(StudyCell cell, TrainingProgress progress)
    {
        long now = Environment.TickCount64;
        if (now - _lastReport < 200 && progress.Current.Step < progress.StepCount)
        {
            return;
        }

        _lastReport = now;
        Over(Invariant($"{_place}: step {progress.Current.Step:#,0} of {progress.StepCount:#,0}, loss {progress.Current.Loss:0.000}, {TrainingPanel.Clock(progress.Remaining)} to go"));
    }

    public void CellFinished(StudyCell cell, CellRecord record, bool reused)
    {
        Over("");
        string measures = string.Join(", ", record.Measures.Select(m => Invariant($"{m.Collection} nDCG@10 {m.Ndcg10:0.000}")));
        terminal.Out.WriteLine(Invariant($"{cell.Name}: {measures}; {record.StepCount:#,0} steps, {100 * record.TrainingFlops / record.BudgetFlops:0.0} % of the budget, {record.TrainingSeconds:0} s{(reused ? " (already done)" : "")}"));
    }

    public void CellLeft(StudyCell cell, string why)
    {
        Over("");
        terminal.Error.WriteLine($"{cell.Name}: left: {why}");
    }

    private void Over(string text)
    {
        if (terminal.ErrorIsTerminal)
        {
            terminal.Error.Write($"\r{text}\u001b[K");
        }
    }
}
