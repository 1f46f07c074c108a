using System.Runtime.ExceptionServices;
using Tern.Retrieval;
using Tern.Text;

namespace Tern;

/// <summary>Where a request is on its way through the <see cref="EncodeQueue"/>.</summary>
internal enum RequestState
{
    /// <summary>Not in the queue; the caller's own.</summary>
    Idle,

    /// <summary>Waiting for a batch.</summary>
    Queued,

    /// <summary>First in the queue, and its thread is to run the next batch.</summary>
    Leading,

    /// <summary>In the batch that runs.</summary>
    Running,

    Done,
    Canceled,
}

/// <summary>Some texts of one caller on their way through the network, and the memory for it; reused from call to call.</summary>
internal sealed class EncodeRequest
{
    /// <summary>The one behind it in the queue.</summary>
    internal EncodeRequest? Next;

    private float[] _rows = [];

    /// <summary>The texts' tokens.</summary>
    public TokenBatch Texts { get; } = new();

    /// <summary>For the tokenizer.</summary>
    public List<int> Tokens { get; } = [];

    /// <summary>For choosing the heaviest terms.</summary>
    public TopKQueue Heaviest { get; } = new();

    public RequestState State { get; private set; }

    /// <summary>Timestamp of entering the queue.</summary>
    public long QueuedAt { get; set; }

    /// <summary>Set for a caller that does not block.</summary>
    public TaskCompletionSource? Completion { get; set; }

    public ExceptionDispatchInfo? Failure { get; set; }

    /// <summary>Empties it for a new call.</summary>
    public void Reset()
    {
        Texts.Clear();
        Failure = null;
        Completion = null;
        State = RequestState.Idle;
    }

    /// <summary>[texts, dimension] for the results.</summary>
    public Span<float> Rows(int dimension)
    {
        int length = Texts.SequenceCount * dimension;
        if (_rows.Length < length)
        {
            _rows = new float[length];
        }

        return _rows.AsSpan(0, length);
    }

    public ReadOnlySpan<float> Row(int text, int dimension) => _rows.AsSpan(text * dimension, dimension);

    /// <summary>Changes the state and wakes the thread that waits for it.</summary>
    public void Become(RequestState state)
    {
        lock (this)
        {
            State = state;
            Monitor.Pulse(this);
        }
    }

    /// <summary>Blocks until the request leads, is done or is cancelled.</summary>
    public RequestState Await()
    {
        lock (this)
        {
            while (State is RequestState.Queued or RequestState.Running)
            {
                Monitor.Wait(this);
            }

            return State;
        }
    }
}
