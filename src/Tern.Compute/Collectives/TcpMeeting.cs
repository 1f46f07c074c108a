using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Tern.Compute.Collectives;

/// <summary>How ranks find each other: all come to rank 0, which tells them where the others are, and of two the higher calls on the lower.</summary>
internal static class TcpMeeting
{
    /// <summary>A connection to every other rank, by rank, and what all ranks are called.</summary>
    /// <exception cref="IOException">They did not all come in time; says who is missing.</exception>
    public static (Socket?[] Peers, string[] Names) Hold(int rank, int rankCount, string host, int port, TimeSpan patience)
    {
        DateTime until = DateTime.UtcNow + patience;
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Any, rank == 0 ? port : 0));
        listener.Listen(rankCount);
        Socket?[] peers = new Socket?[rankCount];
        try
        {
            Member own = new(rank, "", ((IPEndPoint)listener.LocalEndPoint!).Port, $"rank {rank} of {rankCount} ({Environment.MachineName}, process {Environment.ProcessId})");
            Member[] members = rank == 0 ? Welcome(listener, own, peers, until, port) : Introduce(own, peers, host, port, until);

            // Of two other ranks the higher connects and says who it is; those above come here.
            for (int other = 1; other < rank; other++)
            {
                peers[other] = Connect(members[other].Host, members[other].Port, until);
                SendText(peers[other]!, JsonSerializer.Serialize(own, TcpJsonContext.Default.Member));
            }

            for (int missing = rankCount - 1 - rank; rank > 0 && missing > 0; missing--)
            {
                Socket peer = Accept(listener, until, () => Missing(peers, rank));
                Member member = ReceiveMember(peer);
                peers[member.Rank] = peer;
            }

            return (peers, [.. members.Select(m => m.Name)]);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            foreach (Socket? peer in peers)
            {
                peer?.Dispose();
            }

            throw e as IOException ?? new IOException($"rank {rank} could not meet the others at {host}:{port}: {e.Message}", e);
        }
    }

    private static Member[] Welcome(Socket listener, Member own, Socket?[] peers, DateTime until, int port)
    {
        Member[] members = new Member[peers.Length];
        members[0] = own;
        for (int missing = peers.Length - 1; missing > 0; missing--)
        {
            Socket peer = Accept(listener, until, () => $"{Missing(peers, 0)} at port {port}");
            Member member = ReceiveMember(peer);
            if (member.Rank < 1 || member.Rank >= peers.Length || peers[member.Rank] is not null)
            {
                throw new IOException($"{member.Name} came to a run of {peers.Length} ranks a second time or from another run; choose another port");
            }

            peers[member.Rank] = peer;
            members[member.Rank] = member with { Host = ((IPEndPoint)peer.RemoteEndPoint!).Address.ToString() };
        }

        string table = JsonSerializer.Serialize(members, TcpJsonContext.Default.MemberArray);
        foreach (Socket? peer in peers)
        {
            if (peer is not null)
            {
                SendText(peer, table);
            }
        }

        return members;
    }

    private static Member[] Introduce(Member own, Socket?[] peers, string host, int port, DateTime until)
    {
        peers[0] = Connect(host, port, until);
        SendText(peers[0]!, JsonSerializer.Serialize(own, TcpJsonContext.Default.Member));
        return JsonSerializer.Deserialize(ReceiveText(peers[0]!), TcpJsonContext.Default.MemberArray)!;
    }

    private static string Missing(Socket?[] peers, int own) =>
        "waited in vain for rank " + string.Join(", ", Enumerable.Range(0, peers.Length).Where(r => r > own && peers[r] is null));

    private static Socket Accept(Socket listener, DateTime until, Func<string> missing)
    {
        TimeSpan left = until - DateTime.UtcNow;
        if (left <= TimeSpan.Zero || !listener.Poll(left, SelectMode.SelectRead))
        {
            throw new IOException(missing());
        }

        Socket peer = listener.Accept();
        peer.NoDelay = true;
        return peer;
    }

    private static Socket Connect(string host, int port, DateTime until)
    {
        while (true)
        {
            Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                socket.Connect(host, port);
                return socket;
            }
            catch (SocketException) when (DateTime.UtcNow < until)
            {
                socket.Dispose();
                Thread.Sleep(100);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
    }

    private static void SendText(Socket socket, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        byte[] length = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        TcpCollective.SendAll(socket, length);
        TcpCollective.SendAll(socket, bytes);
    }

    private static Member ReceiveMember(Socket socket) => JsonSerializer.Deserialize(ReceiveText(socket), TcpJsonContext.Default.Member)!;

    private static string ReceiveText(Socket socket)
    {
        byte[] length = new byte[sizeof(int)];
        ReceiveExactly(socket, length);
        int count = BinaryPrimitives.ReadInt32LittleEndian(length);
        if (count < 0 || count > 1 << 24)
        {
            throw new IOException("something that is not a rank of this run has connected; choose another port");
        }

        byte[] bytes = new byte[count];
        ReceiveExactly(socket, bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    private static void ReceiveExactly(Socket socket, Span<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            int count = socket.Receive(bytes);
            bytes = count == 0 ? throw new IOException("a rank ended while the ranks were meeting") : bytes[count..];
        }
    }

    internal sealed record Member(int Rank, string Host, int Port, string Name);
}
