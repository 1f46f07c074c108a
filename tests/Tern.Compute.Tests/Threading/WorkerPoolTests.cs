using Tern.Compute.Threading;
using Tern.TestKit;
using Xunit;

namespace Tern.Compute.Tests.Threading;

public class WorkerPoolTests
{
    [Theory]
    [InlineData(1, 0)]
    [InlineData(1, 7)]
    [InlineData(2, 1)]
    [InlineData(2, 1000)]
    [InlineData(5, 3)]
    [InlineData(5, 10_000)]
    public void EveryTaskRunsExactlyOnce(int threads, int tasks)
    {
        using WorkerPool pool = new(threads);
        int[] calls = new int[tasks];
        for (int round = 1; round <= 20; round++)
        {
            pool.Run(tasks, calls, static (i, c) => Interlocked.Increment(ref c[i]));
            Assert.All(calls, c => Assert.Equal(round, c));
        }
    }

    [Fact]
    public void ShortLoopsInQuickSuccessionLoseNoTask()
    {
        using WorkerPool pool = new(4);
        long[] sum = new long[1];
        for (int round = 0; round < 20_000; round++)
        {
            pool.Run(5, sum, static (i, s) => Interlocked.Add(ref s[0], i));
        }

        Assert.Equal(20_000L * 10, sum[0]);
    }

    [Fact]
    public void SleepingWorkersWakeForTheNextLoop()
    {
        using WorkerPool pool = new(2);
        for (int round = 0; round < 5; round++)
        {
            Thread.Sleep(5); // Long past the spinning.
            using Barrier both = new(2);

            // Completes only when two threads are in the loop at once.
            pool.Run(2, both, static (_, b) => b.SignalAndWait());
        }
    }

    /// <summary>After its work every thread blocks without a time-out: nothing wakes it but the next loop.</summary>
    [Fact]
    public void AnIdlePoolSleepsUntilItIsAsked()
    {
        using WorkerPool pool = new(5);
        long[] sum = new long[1];
        pool.Run(100, sum, static (i, s) => Interlocked.Add(ref s[0], i));

        // A thread that was woken may not have run yet: threads that never sleep would change the counts for ever.
        (int, long) before, after = (0, 0);
        int rounds = 0;
        do
        {
            before = after;
            Thread.Sleep(200);
            after = (pool.SleepingCount, pool.WakeCount);
        }
        while ((before != after || pool.SleepingCount != 4) && ++rounds < 300);
        Assert.Equal(before, after);
        Assert.Equal(4, pool.SleepingCount);
        pool.Run(100, sum, static (i, s) => Interlocked.Add(ref s[0], i));
        Assert.Equal(2 * 4950, sum[0]);
    }

    [Fact]
    public void AnExceptionReachesTheCallerAndThePoolStaysUsable()
    {
        using WorkerPool pool = new(3);
        for (int round = 0; round < 50; round++)
        {
            InvalidOperationException error = Assert.Throws<InvalidOperationException>(
                () => pool.Run(100, static i => { if (i == 17) { throw new InvalidOperationException("task 17"); } }));
            Assert.Equal("task 17", error.Message);
        }

        int[] calls = new int[10];
        pool.Run(10, calls, static (i, c) => c[i]++);
        Assert.All(calls, c => Assert.Equal(1, c));
    }

    [Fact]
    public void ANestedLoopRunsOnItsOwnThread()
    {
        using WorkerPool pool = new(3);
        int[] calls = new int[64];
        pool.Run(8, (pool, calls), static (outer, s) =>
        {
            int thread = Environment.CurrentManagedThreadId;
            s.pool.Run(8, (s.calls, outer, thread), static (inner, t) =>
            {
                Assert.Equal(t.thread, Environment.CurrentManagedThreadId);
                Interlocked.Increment(ref t.calls[(t.outer * 8) + inner]);
            });
        });

        Assert.All(calls, c => Assert.Equal(1, c));
    }

    [Fact]
    public void CallersOnSeveralThreadsDoNotDisturbEachOther()
    {
        using WorkerPool pool = new(3);
        long[] sums = new long[4];
        Thread[] callers = Enumerable.Range(0, sums.Length).Select(c => new Thread(() =>
        {
            for (int round = 0; round < 500; round++)
            {
                pool.Run(20, (sums, c), static (i, s) => Interlocked.Add(ref s.sums[s.c], i));
            }
        })).ToArray();
        Array.ForEach(callers, t => t.Start());
        Array.ForEach(callers, t => t.Join());
        Assert.All(sums, s => Assert.Equal(500L * 190, s));
    }

    [Fact]
    public void RunAllocatesNothing()
    {
        using WorkerPool pool = new(2);
        int[] calls = new int[16];
        Loop(pool, calls);
        Assert.Equal(0, Allocations.Fewest(() => Loop(pool, calls)));

        static void Loop(WorkerPool pool, int[] calls)
        {
            for (int round = 0; round < 100; round++)
            {
                pool.Run(16, (calls, round), static (i, s) => s.calls[i] += s.round);
            }
        }
    }

    [Fact]
    public void ReferencesInTheStateSurviveACollection()
    {
        using WorkerPool pool = new(2);
        for (int round = 0; round < 50; round++)
        {
            object[] found = new object[8];
            pool.Run(8, (found, text: new string('x', 10 + round)), static (i, s) =>
            {
                GC.Collect(0);
                s.found[i] = s.text;
            });
            Assert.All(found, f => Assert.Equal(10 + round, ((string)f).Length));
        }
    }

    [Fact]
    public void DisposeEndsTheThreadsAndLaterLoopsAreRefused()
    {
        WorkerPool pool = new(3);
        Thread?[] threads = new Thread?[64];
        pool.Run(64, threads, static (i, t) => { t[i] = Thread.CurrentThread; Thread.Sleep(1); });
        pool.Dispose();
        pool.Dispose();
        Assert.All(threads, t => Assert.True(t == Thread.CurrentThread || !t!.IsAlive));
        Assert.Throws<ObjectDisposedException>(() => pool.Run(1, static _ => { }));
    }

    [Fact]
    public void ThreadCountIsThatAskedForOrTheProcessorCount()
    {
        using WorkerPool three = new(3);
        using WorkerPool all = new();
        Assert.Equal(3, three.ThreadCount);
        Assert.Equal(Environment.ProcessorCount, all.ThreadCount);
        Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerPool(-1));
    }
}
