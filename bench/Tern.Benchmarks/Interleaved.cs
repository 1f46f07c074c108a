using System.Diagnostics;

namespace Tern.Benchmarks;

/// <summary>Times of several actions, measured in turns, so that whatever slows the machine down slows all of them.</summary>
internal static class Interleaved
{
    /// <summary>
    /// <paramref name="rounds"/> rounds; in each every action runs once untimed, then repeatedly for its part of
    /// <paramref name="budget"/> (at least twice), and then nobody runs until its threads have stopped spinning.
    /// </summary>
    /// <returns>Seconds of each action's calls, ascending.</returns>
    public static double[][] Measure(IReadOnlyList<(Action Run, int SpinMilliseconds)> actions, Func<double> clock, TimeSpan budget, int rounds)
    {
        List<double>[] times = [.. actions.Select(_ => new List<double>())];
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < actions.Count; i++)
            {
                actions[i].Run();
                long begin = Stopwatch.GetTimestamp();
                for (int call = 0; call < 2 || Stopwatch.GetElapsedTime(begin) < budget / rounds; call++)
                {
                    double start = clock();
                    actions[i].Run();
                    times[i].Add(clock() - start);
                }

                if (actions[i].SpinMilliseconds > 0)
                {
                    Thread.Sleep(actions[i].SpinMilliseconds);
                }
            }
        }

        return [.. times.Select(t => t.Order().ToArray())];
    }

    public static double Median(double[] ascending) => ascending[ascending.Length / 2];

    public static double WallSeconds() => (double)Stopwatch.GetTimestamp() / Stopwatch.Frequency;
}
