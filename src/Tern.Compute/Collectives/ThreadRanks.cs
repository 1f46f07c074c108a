namespace Tern.Compute.Collectives;

/// <summary>
/// Ranks as threads of this process, whose backends can read each other's tensors: for machines whose many processors one backend does not
/// fill, and for everything that is to be seen of ranks without a launcher.
/// </summary>
public sealed class ThreadRanks : IDisposable
{
    private readonly Barrier _barrier;
    private readonly CancellationTokenSource _aborted = new();
    private readonly Tensor[] _tensors;
    private readonly byte[]?[] _bytes;
    private RankFailedException? _failure;

    /// <param name="rankCount">How many ranks join; each does so once.</param>
    public ThreadRanks(int rankCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rankCount, 1);
        RankCount = rankCount;
        _barrier = new Barrier(rankCount);
        _tensors = new Tensor[rankCount];
        _bytes = new byte[rankCount][];
    }

    public int RankCount { get; }

    /// <summary>
    /// Runs a body on a thread for each rank and waits for all. The first failure ends the other ranks and is thrown here; a body
    /// disposes what it makes, its backend too.
    /// </summary>
    public static void Run(int rankCount, Action<ThreadRanks, int> body)
    {
        using ThreadRanks ranks = new(rankCount);
        Thread[] threads = [.. Enumerable.Range(0, rankCount).Select(rank => new Thread(() =>
        {
            try
            {
                body(ranks, rank);
            }
            catch (Exception e)
            {
                ranks.Fail(rank, $"rank {rank} of {rankCount}: {e.Message}", e);
            }
        }) { Name = $"Tern rank {rank}" })];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
        if (ranks._failure is { } failure)
        {
            throw failure;
        }
    }

    /// <summary>The collective of one rank, used by its thread alone.</summary>
    public ICollective Join(int rank, IBackend backend) => new Member(this, rank, backend);

    public void Dispose()
    {
        _barrier.Dispose();
        _aborted.Dispose();
    }

    private void Fail(int rank, string reason, Exception? exception)
    {
        RankFailedException failure = exception as RankFailedException ?? new RankFailedException(rank, reason, exception);
        if (Interlocked.CompareExchange(ref _failure, failure, null) is null)
        {
            _aborted.Cancel();
        }
    }

    private void Meet()
    {
        try
        {
            _barrier.SignalAndWait(_aborted.Token);
        }
        catch (OperationCanceledException)
        {
            throw new RankFailedException(_failure!.Rank, _failure.Reason, _failure);
        }
    }

    private sealed class Member(ThreadRanks ranks, int rank, IBackend backend) : ICollective
    {
        private readonly TensorMemory _sum = backend.Allocate(DType.Float32);

        public int Rank => rank;

        public int RankCount => ranks.RankCount;

        public string Transport => "threads";

        public void AllReduce(Tensor values)
        {
            Publish(values);
            Tensor sum = SumOwnPart();
            if (!sum.IsEmpty)
            {
                for (int r = 0; r < RankCount; r++)
                {
                    backend.Copy(sum, ranks._tensors[r].Part(rank, RankCount));
                }
            }

            ranks.Meet();
        }

        public void ReduceScatter(Tensor values)
        {
            Publish(values);
            Tensor sum = SumOwnPart();
            if (!sum.IsEmpty)
            {
                backend.Copy(sum, values.Part(rank, RankCount));
            }

            ranks.Meet();
        }

        public void AllGather(Tensor values)
        {
            Publish(values);
            for (int r = 0; r < RankCount; r++)
            {
                Tensor part = values.Part(r, RankCount);
                if (r != rank && part.Columns > 0)
                {
                    backend.Copy(ranks._tensors[r].Part(r, RankCount), part);
                }
            }

            ranks.Meet();
        }

        public void Broadcast(Tensor values, int root)
        {
            Publish(values);
            if (rank != root)
            {
                backend.Copy(ranks._tensors[root], values);
            }

            ranks.Meet();
        }

        public void Exchange(ReadOnlySpan<byte> own, Span<byte> all)
        {
            ranks._bytes[rank] = own.ToArray();
            ranks.Meet();
            for (int r = 0; r < RankCount; r++)
            {
                ranks._bytes[r].CopyTo(all[(r * own.Length)..]);
            }

            ranks.Meet();
        }

        public void Abort(string reason) => ranks.Fail(rank, reason, null);

        public void Dispose() => _sum.Dispose();

        private void Publish(Tensor values)
        {
            ranks._tensors[rank] = values;
            ranks.Meet();
        }

        /// <summary>The sum of this rank's part over all ranks, in memory of its own; empty where the part is.</summary>
        private Tensor SumOwnPart()
        {
            Tensor first = ranks._tensors[0].Part(rank, RankCount);
            if (first.Columns == 0)
            {
                return default;
            }

            Tensor sum = _sum.Shape(1, first.Columns);
            backend.Copy(first, sum);
            for (int r = 1; r < RankCount; r++)
            {
                backend.AddScaled(ranks._tensors[r].Part(rank, RankCount), 1f, sum);
            }

            return sum;
        }
    }
}
