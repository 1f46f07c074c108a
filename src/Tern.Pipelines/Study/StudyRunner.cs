using System.Globalization;

namespace Tern.Pipelines.Study;

/// <summary>Which cells of a plan a process works on.</summary>
/// <param name="Cells">Names, or <c>i/n</c> for every n-th cell from the i-th on (from 1), so that the tasks of an array job share a study; empty for all.</param>
public sealed record StudyOptions(string PlanPath, string OutputDirectory, IReadOnlyList<string> Cells, int Threads = 0)
{
    /// <summary>Cells to begin anew, in the same notation: what they left is deleted first. They are run even if <see cref="Cells"/> names others.</summary>
    public IReadOnlyList<string> Restart { get; init; } = [];
}

/// <summary>What became of the cells that were asked for.</summary>
public sealed record StudyOutcome(int Finished, int Reused, IReadOnlyList<string> Failed, IReadOnlyList<string> InWorkElsewhere);

/// <summary>
/// Runs a plan's cells one after the other. A finished cell is not run again, one that was stopped goes on from its checkpoint, one that
/// fails is reported and the others go on. Several processes may share an output directory: each cell is one process's at a time.
/// </summary>
public sealed class StudyRunner
{
    private readonly StudyOptions _options;
    private readonly StudyData _data;
    private readonly CellRunner _runner;
    private readonly HashSet<StudyCell> _restarted;

    /// <exception cref="InvalidDataException">The plan is malformed, or its data are.</exception>
    public StudyRunner(StudyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        Plan = StudyPlan.Read(options.PlanPath);
        Paths = new StudyPaths(options.OutputDirectory);
        _restarted = options.Restart.Count > 0 ? [.. Choose(Plan.Cells(), options.Restart)] : [];
        IReadOnlyList<StudyCell> chosen = Choose(Plan.Cells(), options.Cells);
        Cells = [.. Plan.Cells().Where(c => chosen.Contains(c) || _restarted.Contains(c))];
        _data = new StudyData(Plan, Paths);
        _runner = new CellRunner(Plan, Paths, _data, options.Threads > 0 ? options.Threads : Environment.ProcessorCount);
    }

    public StudyPlan Plan { get; }

    public StudyPaths Paths { get; }

    /// <summary>The cells that were asked for, in the plan's order.</summary>
    public IReadOnlyList<StudyCell> Cells { get; }

    /// <summary>Train queries without enough hard negatives; known once a cell is planned.</summary>
    public int QueriesLeftOut => _data.QueriesLeftOut;

    /// <summary>What each cell would do.</summary>
    public IEnumerable<CellPlan> PlanCells() => Cells.Select(_runner.Plan);

    /// <summary>What the plan's cells have recorded so far, in the plan's order. The records alone are read: the data need not be there.</summary>
    public IReadOnlyList<CellRecord> Records() => [.. Plan.Cells().Select(_runner.Recorded).OfType<CellRecord>().Where(r => r.Measures.Count > 0)];

    /// <exception cref="OperationCanceledException">Cancelled; what was done is kept.</exception>
    public StudyOutcome Run(IStudyObserver observer, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(observer);
        int finished = 0, reused = 0, number = 0;
        List<string> failed = [], elsewhere = [];
        foreach (StudyCell cell in Cells)
        {
            number++;
            cancellation.ThrowIfCancellationRequested();
            bool anew = _restarted.Contains(cell);
            try
            {
                if (!anew && _runner.Finished(cell) is { } earlier)
                {
                    reused++;
                    observer.CellFinished(cell, earlier, reused: true);
                    continue;
                }
            }
            catch (InvalidDataException error) when (File.Exists(Paths.Record(cell)))
            {
                failed.Add(cell.Name);
                observer.CellLeft(cell, error.Message);
                continue;
            }

            Directory.CreateDirectory(Paths.Cell(cell));
            using FileStream? held = TryLock(Paths.Lock(cell));
            if (held is null)
            {
                elsewhere.Add(cell.Name);
                observer.CellLeft(cell, "another process works on it");
                continue;
            }

            observer.CellStarted(cell, number, Cells.Count);
            try
            {
                if (anew)
                {
                    Clear(cell);
                }

                File.Delete(Paths.Failure(cell));
                observer.CellFinished(cell, _runner.Run(cell, observer, cancellation), reused: false);
                finished++;
            }
            catch (Exception error) when (error is not (OperationCanceledException or OutOfMemoryException))
            {
                // One cell's trouble (a collapsed training, a full disk) is not the others'.
                ResultsText.Save(Paths.Failure(cell), error + "\n");
                failed.Add(cell.Name);
                observer.CellLeft(cell, error.Message);
            }
        }

        return new StudyOutcome(finished, reused, failed, elsewhere);
    }

    /// <summary>Deletes all that a cell left, but not the lock that is held.</summary>
    private void Clear(StudyCell cell)
    {
        foreach (string file in Directory.EnumerateFiles(Paths.Cell(cell)).Where(f => f != Paths.Lock(cell)))
        {
            File.Delete(file);
        }

        foreach (string directory in Directory.EnumerateDirectories(Paths.Cell(cell)))
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static IReadOnlyList<StudyCell> Choose(IReadOnlyList<StudyCell> all, IReadOnlyList<string> wanted)
    {
        if (wanted.Count == 0)
        {
            return all;
        }

        var chosen = new HashSet<StudyCell>();
        foreach (string name in wanted)
        {
            if (name.Split('/') is [var part, var parts] && int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int i) && int.TryParse(parts, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && i >= 1 && i <= n)
            {
                chosen.UnionWith(all.Where((_, index) => index % n == i - 1));
            }
            else
            {
                chosen.Add(all.FirstOrDefault(c => c.Name == name) ?? throw new ArgumentException($"no cell '{name}' in the plan; the first is {all[0].Name}, and i/n takes every n-th"));
            }
        }

        return [.. all.Where(chosen.Contains)];
    }

    private static FileStream? TryLock(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
