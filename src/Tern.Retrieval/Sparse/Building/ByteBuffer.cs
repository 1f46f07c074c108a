using System.Runtime.InteropServices;

namespace Tern.Retrieval;

/// <summary>A growing array of bytes.</summary>
internal sealed class ByteBuffer
{
    private byte[] _bytes = new byte[1 << 16];

    public int Count { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Count);

    public void Clear() => Count = 0;

    /// <summary>Room for that many more bytes, zero, and counted as written.</summary>
    public Span<byte> Extend(int byteCount)
    {
        if (_bytes.Length - Count < byteCount)
        {
            Array.Resize(ref _bytes, Math.Max(checked(Count + byteCount), (int)Math.Min(Array.MaxLength, 2L * _bytes.Length)));
        }

        Span<byte> room = _bytes.AsSpan(Count, byteCount);
        room.Clear();
        Count += byteCount;
        return room;
    }

    public void Append(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Extend(bytes.Length));

    public void Append<T>(T value)
        where T : unmanaged => MemoryMarshal.Write(Extend(System.Runtime.CompilerServices.Unsafe.SizeOf<T>()), value);

    /// <summary>Zeros up to the next multiple.</summary>
    public void Align(int multiple) => Extend((multiple - (Count % multiple)) % multiple);

    /// <summary>Overwrites a value that was written before.</summary>
    public void Set<T>(int at, T value)
        where T : unmanaged => MemoryMarshal.Write(_bytes.AsSpan(at), value);
}
