using System.Diagnostics;
using Tern.Retrieval;

namespace Tern.Pipelines.Demo.Stages;

/// <summary>Makes a split's hits a run, and times searches.</summary>
internal static class SplitSearch
{
    /// <summary>Queries that are timed: enough for a mean, few enough not to be the demo's longest part.</summary>
    private const int TimedQueries = 400;

    public static Run ToRun(string tag, IReadOnlyList<JudgedQuery> queries, IReadOnlyList<Hit[]> hits, Func<int, string> externalId)
    {
        var run = new Run(tag);
        for (int i = 0; i < queries.Count; i++)
        {
            run.Add(queries[i].Id, hits[i], externalId);
        }

        return run;
    }

    /// <summary>Mean microseconds of one call on this thread, after a pass that is not timed.</summary>
    public static double MicrosecondsPerQuery(int queryCount, Action<int> search)
    {
        int timed = Math.Min(queryCount, TimedQueries);
        for (int i = 0; i < timed; i++)
        {
            search(i);
        }

        var watch = Stopwatch.StartNew();
        for (int i = 0; i < timed; i++)
        {
            search(i);
        }

        return Math.Round(watch.Elapsed.TotalMicroseconds / timed, 1);
    }
}
