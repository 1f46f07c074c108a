using System.Diagnostics;

namespace Tern.Pipelines.Demo.Stages;

/// <summary>Wall time of a stage, with that of earlier attempts at the same inputs which were stopped before the end.</summary>
internal sealed class StageTime(string path, string fingerprint)
{
    /// <summary>What a stopped attempt leaves behind.</summary>
    public sealed record Attempt(string Fingerprint, double Seconds);

    public double Seconds { get; private set; }

    public T Measure<T>(Func<T> run)
    {
        double before = File.Exists(path) && ResultsFile.Load<Attempt>(path) is { } earlier && earlier.Fingerprint == fingerprint ? earlier.Seconds : 0;
        var watch = Stopwatch.StartNew();
        bool finished = false;
        try
        {
            T result = run();
            finished = true;
            return result;
        }
        finally
        {
            Seconds = Math.Round(before + watch.Elapsed.TotalSeconds, 3);
            if (!finished)
            {
                ResultsFile.Save(path, new Attempt(fingerprint, Seconds));
            }
        }
    }

    /// <summary>To be called once the stage's own record has the time.</summary>
    public void Forget() => File.Delete(path);
}
