using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Tern.Compute;
using Tern.Model;
using Tern.Text;

namespace Tern;

/// <summary>
/// Brings the texts of concurrent callers through one network in batches. There is no thread of its own: the caller that
/// finds the network idle runs its text at once; those that come meanwhile are the next batch, which the first of them
/// runs for all. First come, first served; a call with many texts brings them a batch at a time and waits its turn for
/// each. A blocking call allocates nothing.
/// </summary>
internal sealed class EncodeQueue : IThreadPoolWorkItem
{
    private readonly RetrieverNetwork _network;
    private readonly ModelOptions _options;
    private readonly long _delayTicks;
    private readonly object _gate = new();
    private readonly SemaphoreSlim _room;
    private readonly TokenBatch _merged = new();
    private readonly List<EncodeRequest> _batch = [];

    private EncodeRequest? _first;
    private EncodeRequest? _last;
    private int _queuedCount;
    private int _queuedTokens;
    private bool _running;
    private bool _gathering;
    private bool _closed;
    private int _lastBatchRequests;
    private long _lastBatchEnd;

    public EncodeQueue(RetrieverNetwork network, ModelOptions options)
    {
        _network = network;
        _options = options;
        _delayTicks = (long)(options.MaxQueueDelay.TotalSeconds * Stopwatch.Frequency);
        _room = new SemaphoreSlim(options.QueueCapacity);
    }

    /// <summary>Held while the network runs; whoever uses the network otherwise takes it too.</summary>
    public object NetworkLock { get; } = new();

    /// <summary>Batches run so far.</summary>
    public long BatchCount { get; private set; }

    /// <summary>Whether a batch runs or is about to.</summary>
    public bool IsRunning => Volatile.Read(ref _running);

    /// <summary>Requests that wait.</summary>
    public int WaitingCount => Volatile.Read(ref _queuedCount);

    /// <summary>Returns when the request's rows are there. Blocks while the queue is full.</summary>
    public void Run(EncodeRequest request, CancellationToken cancellationToken)
    {
        _room.Wait(cancellationToken);
        if (!Enqueue(request))
        {
            using CancellationTokenRegistration registration = Register(request, cancellationToken);
            if (request.Await() == RequestState.Canceled)
            {
                throw new OperationCanceledException(cancellationToken);
            }
        }

        if (request.State == RequestState.Leading)
        {
            RunBatch();
            HandOver();
        }

        request.Failure?.Throw();
    }

    /// <summary>As <see cref="Run"/> without blocking; batches run on the thread pool.</summary>
    public async Task RunAsync(EncodeRequest request, CancellationToken cancellationToken)
    {
        await _room.WaitAsync(cancellationToken).ConfigureAwait(false);
        request.Completion = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task completion = request.Completion.Task;
        if (Enqueue(request))
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }

        using (Register(request, cancellationToken))
        {
            await completion.ConfigureAwait(false);
        }

        if (request.State == RequestState.Canceled)
        {
            throw new OperationCanceledException(cancellationToken);
        }

        request.Failure?.Throw();
    }

    /// <summary>Refuses new requests, serves those that wait, and returns when all are served; false when it was closed before.</summary>
    public bool Close()
    {
        lock (_gate)
        {
            bool isFirst = !_closed;
            _closed = true;
            Monitor.PulseAll(_gate);
            while (_running)
            {
                Monitor.Wait(_gate);
            }

            return isFirst;
        }
    }

    /// <summary>Runs one batch for callers that do not block.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        RunBatch();
        HandOver();
    }

    /// <summary>True when the network was idle, so that the caller must see to the next batch.</summary>
    private bool Enqueue(EncodeRequest request)
    {
        lock (_gate)
        {
            if (_closed)
            {
                _room.Release();
                throw new ObjectDisposedException(nameof(RetrieverModel));
            }

            request.QueuedAt = Stopwatch.GetTimestamp();
            request.Next = null;
            (_last == null ? ref _first : ref _last.Next) = request;
            _last = request;
            _queuedCount++;
            _queuedTokens += request.Texts.TokenCount;
            bool leads = !_running;
            _running = true;
            request.Become(leads && request.Completion == null ? RequestState.Leading : RequestState.Queued);
            if (_gathering)
            {
                Monitor.PulseAll(_gate);
            }

            return leads;
        }
    }

    private CancellationTokenRegistration Register(EncodeRequest request, CancellationToken cancellationToken) => cancellationToken.CanBeCanceled
        ? cancellationToken.UnsafeRegister(static state => ((Cancellation)state!).Cancel(), new Cancellation(this, request))
        : default;

    private void Cancel(EncodeRequest request)
    {
        lock (_gate)
        {
            if (request.State != RequestState.Queued)
            {
                return;
            }

            Unlink(request);
            Complete(request, RequestState.Canceled);
        }
    }

    private void Unlink(EncodeRequest request)
    {
        EncodeRequest? previous = null;
        for (EncodeRequest? at = _first; at != request; at = at.Next)
        {
            previous = at ?? throw new UnreachableException();
        }

        (previous == null ? ref _first : ref previous.Next) = request.Next;
        _last = _last == request ? previous : _last;
        _queuedCount--;
        _queuedTokens -= request.Texts.TokenCount;
    }

    private void RunBatch()
    {
        lock (_gate)
        {
            Gather();
            TakeBatch();
        }

        if (_batch.Count == 0)
        {
            return; // All were cancelled.
        }

        lock (NetworkLock)
        {
            ExceptionDispatchInfo? failure = null;
            try
            {
                Forward();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }

            BatchCount++;
            foreach (EncodeRequest request in _batch)
            {
                request.Failure = failure;
            }
        }

        lock (_gate)
        {
            _lastBatchRequests = _batch.Count;
            _lastBatchEnd = Stopwatch.GetTimestamp();
        }

        foreach (EncodeRequest request in _batch)
        {
            Complete(request, RequestState.Done);
        }

        _batch.Clear();
    }

    /// <summary>
    /// Waits, within the delay bound, for as many requests as the last batch had, if that has only just ended: its callers
    /// are likely to be back soon. After a caller that was alone, or when the network was idle, it does not wait.
    /// </summary>
    private void Gather()
    {
        while (_first != null && !_closed && _queuedCount < _lastBatchRequests && _queuedTokens < _options.MaxBatchTokens && _first.QueuedAt - _lastBatchEnd <= _delayTicks)
        {
            long remaining = Math.Max(_first.QueuedAt, _lastBatchEnd) + _delayTicks - Stopwatch.GetTimestamp();
            if (remaining <= 0)
            {
                return;
            }

            _gathering = true;
            Monitor.Wait(_gate, TimeSpan.FromMilliseconds(Math.Ceiling(remaining * 1000.0 / Stopwatch.Frequency)));
            _gathering = false;
        }
    }

    /// <summary>Takes from the front of the queue what fits into one batch, at least one request.</summary>
    private void TakeBatch()
    {
        long now = Stopwatch.GetTimestamp();
        int texts = 0;
        int tokens = 0;
        while (_first is { } request
            && (_batch.Count == 0 || (texts + request.Texts.SequenceCount <= _options.MaxBatchTexts && tokens + request.Texts.TokenCount <= _options.MaxBatchTokens)))
        {
            texts += request.Texts.SequenceCount;
            tokens += request.Texts.TokenCount;
            Unlink(request);
            request.Become(RequestState.Running);
            _batch.Add(request);
            Telemetry.RecordQueueTime(request.QueuedAt, now);
        }

        if (texts > 0)
        {
            Telemetry.RecordBatch(texts, tokens);
        }
    }

    private void Forward()
    {
        TokenBatch texts = _batch[0].Texts;
        if (_batch.Count > 1)
        {
            texts = _merged;
            texts.Clear();
            foreach (EncodeRequest request in _batch)
            {
                texts.Add(request.Texts);
            }
        }

        Tensor representations = _network.Forward(texts.Tokens, texts.SequenceStarts); // [B, Dimension]
        int first = 0;
        foreach (EncodeRequest request in _batch)
        {
            _network.Backend.Download(representations.SliceRows(first, request.Texts.SequenceCount), request.Rows(_network.Dimension));
            first += request.Texts.SequenceCount;
        }
    }

    /// <summary>The last thing done to a request here: from then on it is its caller's again.</summary>
    private void Complete(EncodeRequest request, RequestState state)
    {
        TaskCompletionSource? completion = request.Completion;
        request.Become(state);
        completion?.SetResult();
        _room.Release();
    }

    /// <summary>Passes the network on to the first that waits.</summary>
    private void HandOver()
    {
        lock (_gate)
        {
            if (_first == null)
            {
                _running = false;
                Monitor.PulseAll(_gate);
            }
            else if (_first.Completion == null)
            {
                _first.Become(RequestState.Leading);
            }
            else
            {
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
            }
        }
    }

    private sealed class Cancellation(EncodeQueue queue, EncodeRequest request)
    {
        public void Cancel() => queue.Cancel(request);
    }
}
