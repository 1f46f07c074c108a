using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Tern.Compute.Collectives;

/// <summary>
/// Ranks as processes that are connected with each other by TCP, met at rank 0: needs no library and works under every launcher that
/// says where rank 0 is. A process that ends, however it ends, closes its connections, which its peers see at once.
/// </summary>
internal sealed unsafe class TcpCollective : HostCollective
{
    private const int AbortLength = -1;
    private const int TextLimit = 1 << 16;

    private readonly Socket?[] _peers;
    private readonly string[] _names;
    private bool _failed;

    private TcpCollective(IBackend backend, int rank, Socket?[] peers, string[] names)
        : base(backend, rank, peers.Length)
    {
        _peers = peers;
        _names = names;
    }

    public override string Transport => "tcp";

    /// <summary>Meets the other ranks; every rank calls it with the same place.</summary>
    /// <exception cref="IOException">They did not all come in time; says who is missing.</exception>
    public static TcpCollective Join(IBackend backend, int rank, int rankCount, string host, int port, TimeSpan patience)
    {
        (Socket?[] peers, string[] names) = TcpMeeting.Hold(rank, rankCount, host, port, patience);
        return new TcpCollective(backend, rank, peers, names);
    }

    public override void Exchange(ReadOnlySpan<byte> own, Span<byte> all)
    {
        int length = own.Length;
        own.CopyTo(all[(Rank * length)..]);
        fixed (byte* first = all)
        {
            byte* start = first;
            Rounds((to, from) => (((nint)(start + (Rank * length)), length), ((nint)(start + (from * length)), length)));
        }
    }

    public override void Abort(string reason)
    {
        _failed = true;
        byte[] text = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(new Failure(Rank, $"{_names[Rank]}: {reason}"), TcpJsonContext.Default.Failure));
        TellAll(text);
    }

    public override void Dispose()
    {
        foreach (Socket? peer in _peers)
        {
            peer?.Dispose();
        }
    }

    protected override void SumParts(float* values, nint count)
    {
        nint start = PartStart(count, Rank);
        int length = (int)(PartStart(count, Rank + 1) - start);
        Rounds((to, from) => (
            ((nint)(values + PartStart(count, to)), (PartStart(count, to + 1) - PartStart(count, to)) * sizeof(float)),
            (Address(Scratch(1 + from, length)), (nint)length * sizeof(float))));

        // In the order of the ranks, this one's own values at their place.
        Span<float> own = new(values + start, length);
        Span<float> sum = Scratch(1 + Rank, length);
        for (int r = 0; r < RankCount; r++)
        {
            ReadOnlySpan<float> addend = r == Rank ? own : Scratch(1 + r, length);
            if (r == 0)
            {
                addend.CopyTo(sum);
            }
            else
            {
                Add(addend, sum);
            }
        }

        sum.CopyTo(own);
    }

    protected override void GatherParts(float* values, nint count) => Rounds((to, from) => (
        ((nint)(values + PartStart(count, Rank)), (PartStart(count, Rank + 1) - PartStart(count, Rank)) * sizeof(float)),
        ((nint)(values + PartStart(count, from)), (PartStart(count, from + 1) - PartStart(count, from)) * sizeof(float))));

    protected override void Send(float* values, nint count, int root) => Rounds((to, from) => (
        ((nint)values, Rank == root ? count * sizeof(float) : 0),
        ((nint)values, from == root ? count * sizeof(float) : 0)));

    private static nint Address(Span<float> pinned)
    {
        fixed (float* address = pinned)
        {
            return (nint)address;
        }
    }

    /// <summary>In round k each rank sends to the k-th after it and receives from the k-th before it, both at once.</summary>
    private void Rounds(Func<int, int, ((nint Address, nint ByteCount) Out, (nint Address, nint ByteCount) In)> transfer)
    {
        for (int round = 1; round < RankCount; round++)
        {
            int to = (Rank + round) % RankCount;
            int from = (Rank - round + RankCount) % RankCount;
            ((nint Address, nint ByteCount) outgoing, (nint Address, nint ByteCount) incoming) = transfer(to, from);
            Task sending = Task.Factory.StartNew(() => SendFrame(to, outgoing.Address, outgoing.ByteCount), CancellationToken.None, TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
            try
            {
                ReceiveFrame(from, incoming.Address, incoming.ByteCount);
                sending.GetAwaiter().GetResult();
            }
            catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
            {
                AwaitQuietly(sending);
                throw Failed(e as RankFailedException ?? new RankFailedException(from, $"{_names[from]} is gone: {e.Message}", e));
            }
        }
    }

    /// <summary>What is under way to a peer must not be cut by the news for it; a peer that takes nothing more has its own.</summary>
    private static void AwaitQuietly(Task sending)
    {
        try
        {
            sending.Wait(TimeSpan.FromSeconds(2));
        }
        catch (AggregateException)
        {
            // The first failure is the one that is told.
        }
    }

    private void SendFrame(int to, nint address, nint byteCount)
    {
        try
        {
            Span<byte> header = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(header, byteCount);
            SendAll(_peers[to]!, header);
            for (nint sent = 0; sent < byteCount;)
            {
                sent += _peers[to]!.Send(new ReadOnlySpan<byte>((byte*)address + sent, (int)Math.Min(byteCount - sent, 1 << 20)));
            }
        }
        catch (SocketException e)
        {
            throw new RankFailedException(to, $"{_names[to]} is gone: {e.Message}", e);
        }
    }

    private void ReceiveFrame(int from, nint address, nint byteCount)
    {
        Span<byte> header = stackalloc byte[sizeof(long)];
        ReceiveAll(from, header);
        long announced = BinaryPrimitives.ReadInt64LittleEndian(header);
        if (announced == AbortLength)
        {
            byte[] text = new byte[Math.Min(ReceiveLength(from), TextLimit)];
            ReceiveAll(from, text);
            Failure failure = JsonSerializer.Deserialize(text, TcpJsonContext.Default.Failure)!;
            throw new RankFailedException(failure.Rank, failure.Reason);
        }

        if (announced != byteCount)
        {
            throw new RankFailedException(from, $"{_names[from]} sends {announced} bytes where {byteCount} are expected; the ranks run different things");
        }

        for (nint got = 0; got < byteCount;)
        {
            int count = (int)Math.Min(byteCount - got, 1 << 20);
            ReceiveAll(from, new Span<byte>((byte*)address + got, count));
            got += count;
        }
    }

    private int ReceiveLength(int from)
    {
        Span<byte> length = stackalloc byte[sizeof(int)];
        ReceiveAll(from, length);
        return BinaryPrimitives.ReadInt32LittleEndian(length);
    }

    private void ReceiveAll(int from, Span<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            int count = _peers[from]!.Receive(bytes);
            if (count == 0)
            {
                throw new RankFailedException(from, $"{_names[from]} is gone");
            }

            bytes = bytes[count..];
        }
    }

    /// <summary>Passes the news on, so that ranks that wait for this one learn who failed first.</summary>
    private RankFailedException Failed(RankFailedException failure)
    {
        if (!_failed)
        {
            _failed = true;
            TellAll(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(new Failure(failure.Rank, failure.Reason), TcpJsonContext.Default.Failure)));
        }

        return failure;
    }

    private void TellAll(byte[] text)
    {
        byte[] frame = new byte[sizeof(long) + sizeof(int) + text.Length];
        BinaryPrimitives.WriteInt64LittleEndian(frame, AbortLength);
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(sizeof(long)), text.Length);
        text.CopyTo(frame, sizeof(long) + sizeof(int));
        foreach (Socket? peer in _peers)
        {
            try
            {
                peer?.Send(frame);
                peer?.Shutdown(SocketShutdown.Send);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // That peer has ended too; the others are told all the same.
            }
        }

        // A connection that is closed with something unread takes back what was sent: each is read to its end first.
        byte[] rest = new byte[1 << 16];
        foreach (Socket? peer in _peers)
        {
            try
            {
                if (peer is not null)
                {
                    peer.ReceiveTimeout = 2000;
                    while (peer.Receive(rest) > 0)
                    {
                    }
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It takes no news any more.
            }
        }
    }

    internal static void SendAll(Socket socket, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[socket.Send(bytes)..];
        }
    }

    internal sealed record Failure(int Rank, string Reason);
}

[System.Text.Json.Serialization.JsonSerializable(typeof(TcpMeeting.Member[]))]
[System.Text.Json.Serialization.JsonSerializable(typeof(TcpCollective.Failure))]
internal sealed partial class TcpJsonContext : System.Text.Json.Serialization.JsonSerializerContext;
