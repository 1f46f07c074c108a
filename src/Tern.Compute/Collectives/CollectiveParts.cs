using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Tern.Compute.Collectives;

/// <summary>What follows from an <see cref="ICollective"/>'s few operations.</summary>
public static class CollectiveParts
{
    /// <summary>Where a rank's part of so many elements begins; the end is where the next one's does.</summary>
    public static nint PartStart(nint elementCount, int rank, int rankCount) => (nint)((Int128)elementCount * rank / rankCount);

    /// <summary>A rank's part of a contiguous tensor, as one row; empty where there are fewer elements than ranks.</summary>
    public static Tensor Part(this Tensor values, int rank, int rankCount)
    {
        nint start = PartStart(values.ElementCount, rank, rankCount);
        return values.SliceElements(start, PartStart(values.ElementCount, rank + 1, rankCount) - start);
    }

    /// <summary>The sum of all ranks' values, in the order of the ranks.</summary>
    public static double Sum(this ICollective ranks, double value)
    {
        Span<double> all = stackalloc double[ranks.RankCount];
        ranks.Exchange(MemoryMarshal.AsBytes(new ReadOnlySpan<double>(in value)), MemoryMarshal.AsBytes(all));
        double sum = 0;
        foreach (double one in all)
        {
            sum += one;
        }

        return sum;
    }

    /// <summary>Returns when every rank has come here.</summary>
    public static void Barrier(this ICollective ranks) => ranks.Any(false);

    /// <summary>True on every rank when it is on any.</summary>
    public static bool Any(this ICollective ranks, bool value)
    {
        Span<byte> all = stackalloc byte[ranks.RankCount];
        ranks.Exchange([value ? (byte)1 : (byte)0], all);
        return all.Contains((byte)1);
    }

    /// <summary>Every rank gets rank 0's number.</summary>
    public static long FromFirst(this ICollective ranks, long value)
    {
        Span<long> all = stackalloc long[ranks.RankCount];
        ranks.Exchange(MemoryMarshal.AsBytes(new ReadOnlySpan<long>(in value)), MemoryMarshal.AsBytes(all));
        return all[0];
    }

    /// <summary>Refuses to go on where ranks were given different things.</summary>
    /// <exception cref="InvalidDataException">On every rank: names what differs and the first rank that has another one.</exception>
    public static void RequireSame(this ICollective ranks, string what, string value)
    {
        byte[] own = SHA256.HashData(Encoding.UTF8.GetBytes(value));
        byte[] all = new byte[own.Length * ranks.RankCount];
        ranks.Exchange(own, all);
        for (int rank = 1; rank < ranks.RankCount; rank++)
        {
            if (!all.AsSpan(rank * own.Length, own.Length).SequenceEqual(all.AsSpan(0, own.Length)))
            {
                throw new InvalidDataException($"{what} of rank {rank} is not that of rank 0; give every rank the same command line and files");
            }
        }
    }
}
