using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Tern.Compute.Memory;

namespace Tern.Compute.Threading;

/// <summary>
/// A fixed set of threads for parallel loops. Tasks are claimed one at a time from a shared counter, so which thread runs
/// which task varies: a body's result must depend on its index only. A loop started inside a body, or while another
/// thread's loop is running, runs on the calling thread. Idle threads spin for some microseconds, then block.
/// Loops allocate nothing when their body is a cached delegate (a static lambda).
/// </summary>
public sealed unsafe class WorkerPool : IDisposable
{
    // Longer than the gap between two operations of a forward pass, shorter than what waking a blocked thread costs.
    private static readonly long SpinTicks = Stopwatch.Frequency / 1_000_000 * 20;

    private readonly Thread[] _workers;
    private readonly object _gate = new();
    private readonly object _finished = new();
    private readonly Stack<ScratchBuffer> _idleScratch = new();

    private delegate*<void*, int, void> _invoke;
    private void* _frame;
    private int _taskCount;
    private int _nextTask;
    private int _active;
    private int _sleeping;
    private long _wakeCount;
    private int _busy;
    private volatile int _generation;
    private volatile bool _disposed;
    private bool _open;
    private ExceptionDispatchInfo? _failure;

    /// <summary>Starts <paramref name="threadCount"/> − 1 threads beside the caller's own; 0 means one thread per processor.</summary>
    public WorkerPool(int threadCount = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threadCount);
        ThreadCount = threadCount == 0 ? Environment.ProcessorCount : threadCount;
        _workers = new Thread[ThreadCount - 1];
        for (int i = 0; i < _workers.Length; i++)
        {
            _workers[i] = new Thread(Work) { IsBackground = true, Name = $"Tern worker {i + 1}" };
            _workers[i].Start();
        }
    }

    /// <summary>Threads that share a loop, the caller's included.</summary>
    public int ThreadCount { get; }

    /// <summary>Counts the working memory that operations rent.</summary>
    internal MemoryMeter Workspace { get; } = new();

    /// <summary>Threads that are blocked, waiting for a loop.</summary>
    internal int SleepingCount => Volatile.Read(ref _sleeping);

    /// <summary>How often a blocked thread was woken: in an idle pool it does not change.</summary>
    internal long WakeCount => Volatile.Read(ref _wakeCount);

    /// <summary>
    /// Calls <paramref name="body"/> for every index below <paramref name="taskCount"/> and returns when all calls have
    /// ended. An exception of a body stops the claiming of further tasks and is rethrown here.
    /// </summary>
    public void Run<TState>(int taskCount, TState state, Action<int, TState> body)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (taskCount <= 1 || ThreadCount == 1 || Interlocked.Exchange(ref _busy, 1) != 0)
        {
            for (int i = 0; i < taskCount; i++)
            {
                body(i, state);
            }

            return;
        }

        // The frame stays on this stack, where the collector keeps its references up to date, until every worker has left.
        Frame<TState> frame = new() { Body = body, State = state };
        RunShared(taskCount, &Invoke<TState>, Unsafe.AsPointer(ref frame));
    }

    /// <summary>As the overload with a state, for a body that carries what it needs.</summary>
    public void Run(int taskCount, Action<int> body) => Run(taskCount, body, static (i, b) => b(i));

    /// <summary>Ends the threads. Must not be called from a body or during a loop.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        lock (_gate)
        {
            _disposed = true;
            Monitor.PulseAll(_gate);
        }

        foreach (Thread worker in _workers)
        {
            worker.Join();
        }
    }

    /// <summary>Working memory for the calling thread; memory that was given back is used again.</summary>
    internal ScratchLease RentScratch()
    {
        lock (_idleScratch)
        {
            return new ScratchLease(this, _idleScratch.TryPop(out ScratchBuffer? buffer) ? buffer : new ScratchBuffer(Workspace));
        }
    }

    internal void Return(ScratchBuffer buffer)
    {
        lock (_idleScratch)
        {
            _idleScratch.Push(buffer);
        }
    }

    private static void Invoke<TState>(void* frame, int index)
    {
        ref Frame<TState> typed = ref Unsafe.AsRef<Frame<TState>>(frame);
        typed.Body(index, typed.State);
    }

    private void RunShared(int taskCount, delegate*<void*, int, void> invoke, void* frame)
    {
        _invoke = invoke;
        _frame = frame;
        _taskCount = taskCount;
        _nextTask = 0;
        lock (_gate)
        {
            _open = true;
            _generation++;
            for (int wake = Math.Min(_sleeping, taskCount - 1); wake > 0; wake--)
            {
                Monitor.Pulse(_gate);
            }
        }

        ClaimTasks();
        lock (_gate)
        {
            _open = false;
        }

        WaitForWorkers();
        _frame = null;
        ExceptionDispatchInfo? failure = _failure;
        _failure = null;
        Volatile.Write(ref _busy, 0);
        failure?.Throw();
    }

    private void ClaimTasks()
    {
        try
        {
            int index;
            while ((index = Interlocked.Increment(ref _nextTask) - 1) < _taskCount)
            {
                _invoke(_frame, index);
            }
        }
        catch (Exception exception)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(exception), null);
            Volatile.Write(ref _nextTask, _taskCount);
        }
    }

    private void WaitForWorkers()
    {
        long deadline = Stopwatch.GetTimestamp() + SpinTicks;
        while (Volatile.Read(ref _active) != 0)
        {
            if (Stopwatch.GetTimestamp() < deadline)
            {
                Thread.SpinWait(8);
                continue;
            }

            lock (_finished)
            {
                while (Volatile.Read(ref _active) != 0)
                {
                    Monitor.Wait(_finished);
                }
            }
        }
    }

    private void Work()
    {
        int seen = 0;
        while (true)
        {
            long deadline = Stopwatch.GetTimestamp() + SpinTicks;
            while (_generation == seen && !_disposed && Stopwatch.GetTimestamp() < deadline)
            {
                Thread.SpinWait(8);
            }

            lock (_gate)
            {
                while (_generation == seen && !_disposed)
                {
                    _sleeping++;
                    Monitor.Wait(_gate);
                    _sleeping--;
                    _wakeCount++;
                }

                if (_disposed)
                {
                    return;
                }

                seen = _generation;
                if (!_open)
                {
                    continue;
                }

                Interlocked.Increment(ref _active); // Others leave without the lock.
            }

            ClaimTasks();
            if (Interlocked.Decrement(ref _active) == 0)
            {
                lock (_finished)
                {
                    Monitor.Pulse(_finished);
                }
            }
        }
    }

    private struct Frame<TState>
    {
        public Action<int, TState> Body;
        public TState State;
    }
}
