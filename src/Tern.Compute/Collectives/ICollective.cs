namespace Tern.Compute.Collectives;

/// <summary>
/// What the ranks of one run do together. Every rank calls the same operations in the same order, with tensors of equal shapes;
/// each call returns when this rank's part is done. Sums are taken in the order of the ranks, each element by one rank, so that
/// all ranks get the same bits. Tensors are contiguous and of Float32.
/// <para>A tensor's part for rank r of W is elements ⌊n r / W⌋ to ⌊n (r + 1) / W⌋ of its n: see <see cref="CollectiveParts.Part"/>.</para>
/// <para>A rank that fails calls <see cref="Abort"/>; the others' next operation, or the one in which they wait, throws
/// <see cref="RankFailedException"/> with its name.</para>
/// </summary>
public interface ICollective : IDisposable
{
    /// <summary>This rank, from 0.</summary>
    int Rank { get; }

    /// <summary>How many there are.</summary>
    int RankCount { get; }

    /// <summary>What carries the data, such as <c>threads</c> or <c>mpi</c>.</summary>
    string Transport { get; }

    /// <summary>values becomes the sum of all ranks' values, in place.</summary>
    void AllReduce(Tensor values);

    /// <summary>This rank's part of values becomes the sum of all ranks' values there; the other parts are unspecified.</summary>
    void ReduceScatter(Tensor values);

    /// <summary>Every part of values becomes that of the rank whose part it is.</summary>
    void AllGather(Tensor values);

    /// <summary>values becomes the root's.</summary>
    void Broadcast(Tensor values, int root);

    /// <summary>Host bytes of equal length from every rank, in the order of the ranks; also a barrier.</summary>
    void Exchange(ReadOnlySpan<byte> own, Span<byte> all);

    /// <summary>Tells the other ranks why this one cannot go on.</summary>
    void Abort(string reason);
}

/// <summary>Another rank cannot go on, so this one cannot either; the message names it and its reason.</summary>
public sealed class RankFailedException(int rank, string reason, Exception? inner = null) : IOException($"{reason}; the run goes on from its last checkpoint with --resume", inner)
{
    /// <summary>The rank that failed first.</summary>
    public int Rank { get; } = rank;

    /// <summary>Its name and what happened to it.</summary>
    public string Reason { get; } = reason;
}
