using Tern.Retrieval;

namespace Tern.Pipelines.Demo.Stages;

/// <summary>Makes a split's hits a run, and times searches.</summary>
internal static class SplitSearch
{
    /// <summary>Queries that are timed: enough for a mean, few enough not to be the demo's longest part.</summary>
    private const int TimedQueries = 400;

    private const int TimedPasses = 5;

    public static Run ToRun(string tag, IReadOnlyList<JudgedQuery> queries, IReadOnlyList<Hit[]> hits, Func<int, string> externalId)
    {
        var run = new Run(tag);
        for (int i = 0; i < queries.Count; i++)
        {
            run.Add(queries[i].Id, hits[i], externalId);
        }

        return run;
    }

    /// <summary>
    /// Microseconds of one call on this thread: of each query the fastest of five calls, of these the mean. Other work on the
    /// machine makes a call slower, never faster, and seldom all five of one query's.
    /// </summary>
    public static double MicrosecondsPerQuery(int queryCount, Action<int> search, TimeProvider? clock = null)
    {
        clock ??= TimeProvider.System;
        int timed = Math.Min(queryCount, TimedQueries);
        var fastest = new TimeSpan[timed];
        Array.Fill(fastest, TimeSpan.MaxValue);
        for (int pass = 0; pass < TimedPasses; pass++)
        {
            for (int i = 0; i < timed; i++)
            {
                long start = clock.GetTimestamp();
                search(i);
                TimeSpan elapsed = clock.GetElapsedTime(start);
                fastest[i] = elapsed < fastest[i] ? elapsed : fastest[i];
            }
        }

        return timed == 0 ? 0 : Math.Round(fastest.Average(t => t.TotalMicroseconds), 1);
    }
}
