using System.Net;
using System.Net.Sockets;
using Tern.Compute.Collectives;
using Tern.Compute.Cpu;
using Tern.TestKit.DoublePrecision;
using Xunit;

namespace Tern.Compute.Tests.Collectives;

/// <summary>Every operation of every transport that runs in one process, against sums written out.</summary>
public sealed class CollectiveTests
{
    public static TheoryData<string, int, int> Cases()
    {
        TheoryData<string, int, int> cases = [];
        foreach (string transport in (string[])["threads", "tcp", "tcp from a device"])
        {
            foreach (int rankCount in (int[])[1, 2, 3, 5])
            {
                foreach (int count in (int[])[1, 4, 1000])
                {
                    cases.Add(transport, rankCount, count);
                }
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void OperationsDoWhatTheySay(string transport, int rankCount, int count)
    {
        float[] sum = [.. Enumerable.Range(0, count).Select(i => Enumerable.Range(0, rankCount).Select(r => Value(r, i)).Aggregate((x, y) => x + y))];
        OnRanks(transport, rankCount, (ranks, backend) =>
        {
            using TensorMemory memory = backend.Allocate(DType.Float32);
            Tensor values = memory.Shape(1, count);

            Assert.Equal(sum, Run(ranks.AllReduce));

            float[] part = Run(ranks.ReduceScatter);
            (int start, int end) = ((int)CollectiveParts.PartStart(count, ranks.Rank, rankCount), (int)CollectiveParts.PartStart(count, ranks.Rank + 1, rankCount));
            Assert.Equal(sum[start..end], part[start..end]);

            float[] gathered = Run(ranks.AllGather);
            Assert.Equal(Enumerable.Range(0, count).Select(i => Value(OwnerOf(i), i)), gathered);

            Assert.Equal(Enumerable.Range(0, count).Select(i => Value(rankCount - 1, i)), Run(t => ranks.Broadcast(t, rankCount - 1)));

            byte[] all = new byte[rankCount * 3];
            ranks.Exchange([(byte)ranks.Rank, 7, (byte)(ranks.Rank * 2)], all);
            Assert.Equal(Enumerable.Range(0, rankCount).SelectMany(r => new[] { (byte)r, (byte)7, (byte)(r * 2) }), all);
            Assert.Equal(Enumerable.Range(0, rankCount).Sum(r => 0.5 + r), ranks.Sum(0.5 + ranks.Rank));
            Assert.True(ranks.Any(ranks.Rank == rankCount - 1));
            Assert.False(ranks.Any(false));
            Assert.Equal(100, ranks.FromFirst(100 + ranks.Rank));
            ranks.RequireSame("a thing", "equal");

            float[] Run(Action<Tensor> operation)
            {
                backend.Upload<float>([.. Enumerable.Range(0, count).Select(i => Value(ranks.Rank, i))], values);
                operation(values);
                float[] result = new float[count];
                backend.Download<float>(values, result);
                return result;
            }
        });

        int OwnerOf(int i) => Enumerable.Range(0, rankCount).First(r => i < CollectiveParts.PartStart(count, r + 1, rankCount));
    }

    [Theory]
    [InlineData(10, 3, new[] { 0, 3, 6, 10 })]
    [InlineData(2, 4, new[] { 0, 0, 1, 1, 2 })]
    public void PartsCoverAll(int count, int rankCount, int[] starts) =>
        Assert.Equal(starts, Enumerable.Range(0, rankCount + 1).Select(r => (int)CollectiveParts.PartStart(count, r, rankCount)));

    [Theory]
    [InlineData("threads")]
    [InlineData("tcp")]
    public void AnAbortReachesEveryRankWithNameAndReason(string transport)
    {
        RankFailedException?[] failures = new RankFailedException?[4];
        OnRanks(transport, 4, (ranks, backend) =>
        {
            ranks.Barrier();
            if (ranks.Rank == 2)
            {
                ranks.Abort("the disk is full");
                return;
            }

            failures[ranks.Rank] = Assert.Throws<RankFailedException>(() =>
            {
                ranks.Barrier();
                ranks.Barrier();
            });
        }, expectsFailure: true);
        foreach (int rank in (int[])[0, 1, 3])
        {
            Assert.Equal(2, failures[rank]!.Rank);
            Assert.Contains("the disk is full", failures[rank]!.Message);
        }
    }

    [Fact]
    public void APeerThatVanishesIsNamedByAll()
    {
        RankFailedException?[] failures = new RankFailedException?[3];
        OnRanks("tcp", 3, (ranks, backend) =>
        {
            ranks.Barrier();
            if (ranks.Rank == 1)
            {
                ranks.Dispose();
                return;
            }

            failures[ranks.Rank] = Assert.Throws<RankFailedException>(() => ranks.Barrier());
        });
        Assert.Equal([1, 1], [failures[0]!.Rank, failures[2]!.Rank]);
        Assert.Contains($"rank 1 of 3 ({Environment.MachineName}, process {Environment.ProcessId}) is gone", failures[0]!.Message);
    }

    [Fact]
    public void DifferentThingsAreRefusedEverywhere() => OnRanks("threads", 3, (ranks, _) =>
        Assert.Contains("a thing of rank 2 ", Assert.Throws<InvalidDataException>(() => ranks.RequireSame("a thing", ranks.Rank == 2 ? "other" : "one")).Message));

    [Fact]
    public void ARankThatDoesNotComeIsNamed()
    {
        using CpuBackend backend = new(1);
        IOException e = Assert.Throws<IOException>(() => TcpCollective.Join(backend, 0, 3, "127.0.0.1", FreePort(), TimeSpan.FromMilliseconds(200)));
        Assert.Contains("rank 1, 2", e.Message);
    }

    // Sums of small numbers with many digits: their rounding depends on the order.
    private static float Value(int rank, int i) => MathF.Sin((31 * rank) + i + 1) * (1 + (rank * rank));

    private static void OnRanks(string transport, int rankCount, Action<ICollective, IBackend> body, bool expectsFailure = false)
    {
        int port = FreePort();
        void Run() => ThreadRanks.Run(rankCount, (group, rank) =>
        {
            using IBackend backend = transport == "tcp from a device" ? new DoubleBackend() : new CpuBackend(1);
            using ICollective ranks = transport == "threads" ? group.Join(rank, backend) : TcpCollective.Join(backend, rank, rankCount, "127.0.0.1", port, TimeSpan.FromSeconds(60));
            body(ranks, backend);
        });
        if (expectsFailure && transport == "threads")
        {
            Assert.Throws<RankFailedException>(Run);
        }
        else
        {
            Run();
        }
    }

    private static int FreePort()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
