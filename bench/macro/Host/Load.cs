using System.Diagnostics;
using Tern.Retrieval;

namespace Host;

/// <summary>Times of one step, in milliseconds, and what the whole process allocated.</summary>
internal readonly record struct Measurement(double Median, double Percentile99, double CallsPerSecond, double BytesPerCall);

/// <summary>Callers on threads of their own, each with its next query as soon as it has its answer.</summary>
internal static class Load
{
    private const int MostCalls = 1 << 21;

    public static Measurement Run(QueryPath path, string[] queries, Step step, int callers, TimeSpan time)
    {
        TimeSpan warmUp = TimeSpan.FromSeconds(Math.Max(2, time.TotalSeconds / 4));
        long[][] ticks = [.. Enumerable.Range(0, callers).Select(_ => new long[MostCalls / callers])];
        int[] counts = new int[callers];
        QueryPath.Vector[][] vectors = [.. Enumerable.Range(0, callers).Select(_ => step == Step.Search ? Encoded(path, queries) : [path.NewVector()])];
        long allocated = 0;
        long begun = 0;
        using var ready = new Barrier(callers + 1, _ => (allocated, begun) = (GC.GetTotalAllocatedBytes(true), Stopwatch.GetTimestamp()));
        using var done = new Barrier(callers + 1, _ => allocated = GC.GetTotalAllocatedBytes(true) - allocated);
        Thread[] threads = [.. Enumerable.Range(0, callers).Select(caller => new Thread(() =>
        {
            var hits = new Hit[10];
            long[] own = ticks[caller];
            int query = caller * queries.Length / callers;
            int Call(long begun, TimeSpan time, int leastCalls)
            {
                long end = begun + (long)(time.TotalSeconds * Stopwatch.Frequency);
                int count = 0;
                for (long now = Stopwatch.GetTimestamp(); (now < end || count < leastCalls) && count < own.Length; query = (query + 1) % queries.Length)
                {
                    switch (step)
                    {
                        case Step.Encode:
                            path.Encode(queries[query], vectors[caller][0]);
                            break;
                        case Step.Search:
                            path.Search(vectors[caller][query % vectors[caller].Length], hits);
                            break;
                        default:
                            path.Both(queries[query], hits);
                            break;
                    }

                    long after = Stopwatch.GetTimestamp();
                    own[count++] = after - now;
                    now = after;
                }

                return count;
            }

            // Compiles, grows the pools and what the library keeps for this thread, and meets every query's words once.
            Call(Stopwatch.GetTimestamp(), warmUp, queries.Length);
            ready.SignalAndWait();
            int count = Call(begun, time, 0);
            counts[caller] = count;
            done.SignalAndWait();
        }))];
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        ready.SignalAndWait();
        done.SignalAndWait();
        double elapsed = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        long[] all = [.. ticks.SelectMany((own, caller) => own.Take(counts[caller])).Order()];
        double ToMilliseconds(long value) => value * 1000.0 / Stopwatch.Frequency;
        return new Measurement(ToMilliseconds(all[all.Length / 2]), ToMilliseconds(all[(int)(all.Length * 0.99)]), all.Length / elapsed, (double)allocated / all.Length);
    }

    private static QueryPath.Vector[] Encoded(QueryPath path, string[] queries) => [.. queries.Take(500).Select(query =>
    {
        QueryPath.Vector vector = path.NewVector();
        path.Encode(query, vector);
        return vector;
    })];
}
