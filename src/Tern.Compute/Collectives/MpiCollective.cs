namespace Tern.Compute.Collectives;

/// <summary>
/// Ranks as processes that <c>mpirun</c> started, over Open MPI. When one of them ends, Open MPI ends the others and says which it was.
/// One for a process.
/// </summary>
internal sealed unsafe class MpiCollective : HostCollective
{
    private const int Serialized = 2; // MPI_THREAD_SERIALIZED
    private readonly nint _world;

    private MpiCollective(IBackend backend, int rank, int rankCount, nint world)
        : base(backend, rank, rankCount)
    {
        _world = world;
    }

    public override string Transport => "mpi";

    /// <exception cref="NotSupportedException">There is no Open MPI on this machine; says how to get it.</exception>
    public static MpiCollective Join(IBackend backend)
    {
        if (MpiLibrary.WhyNot() is { } reason)
        {
            throw new NotSupportedException(reason);
        }

        MpiLibrary.Check(MpiLibrary.Initialize(0, 0, Serialized, out _), "MPI_Init_thread");
        nint world = MpiLibrary.World;
        MpiLibrary.Check(MpiLibrary.Rank(world, out int rank), "MPI_Comm_rank");
        MpiLibrary.Check(MpiLibrary.Size(world, out int rankCount), "MPI_Comm_size");
        return new MpiCollective(backend, rank, rankCount, world);
    }

    public override void Exchange(ReadOnlySpan<byte> own, Span<byte> all)
    {
        fixed (byte* send = own, receive = all)
        {
            MpiLibrary.Check(MpiLibrary.AllGather(send, own.Length, MpiLibrary.Byte, receive, own.Length, MpiLibrary.Byte, _world), "MPI_Allgather");
        }
    }

    public override void Abort(string reason)
    {
        Console.Error.WriteLine($"tern: rank {Rank} of {RankCount} ({Environment.MachineName}, process {Environment.ProcessId}): {reason}");
        Console.Error.Flush();
        _ = MpiLibrary.Abort(_world, 1);
    }

    public override void Dispose() => _ = MpiLibrary.Complete();

    protected override void SumParts(float* values, nint count)
    {
        (int[] counts, _) = Parts(count);
        nint start = PartStart(count, Rank);
        Span<float> own = Scratch(1, Math.Max(1, counts[Rank]));
        fixed (int* lengths = counts)
        fixed (float* sum = own)
        {
            // Into memory of its own: in place it would arrive at the start of the values.
            MpiLibrary.Check(MpiLibrary.ReduceScatter((nint)values, sum, lengths, MpiLibrary.Float, MpiLibrary.SumOperation, _world), "MPI_Reduce_scatter");
        }

        own[..counts[Rank]].CopyTo(new Span<float>(values + start, counts[Rank]));
    }

    protected override void GatherParts(float* values, nint count)
    {
        (int[] counts, int[] starts) = Parts(count);
        fixed (int* lengths = counts, offsets = starts)
        {
            MpiLibrary.Check(MpiLibrary.AllGather(MpiLibrary.InPlace, 0, MpiLibrary.Float, values, lengths, offsets, MpiLibrary.Float, _world), "MPI_Allgatherv");
        }
    }

    protected override void Send(float* values, nint count, int root) =>
        MpiLibrary.Check(MpiLibrary.Broadcast(values, checked((int)count), MpiLibrary.Float, root, _world), "MPI_Bcast");

    private (int[] Counts, int[] Starts) Parts(nint count)
    {
        int[] starts = [.. Enumerable.Range(0, RankCount + 1).Select(r => checked((int)PartStart(count, r)))];
        return ([.. Enumerable.Range(0, RankCount).Select(r => starts[r + 1] - starts[r])], starts);
    }
}
