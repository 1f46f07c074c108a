using System.Runtime.InteropServices;
using System.Text;

namespace Tern.CApi;

/// <summary>
/// What the library hands out: one block of native memory, so that one <c>tern_free</c> releases a result with all that
/// it points to. A header in front of the address says that the block is ours and holds the managed object of a handle.
/// </summary>
internal unsafe ref struct NativeBlock
{
    // "tern" and a number no text has; cleared when freed, so that most double frees are noticed instead of done.
    private const ulong Mark = 0xC0DE_F4EE_6E72_6574;
    private const int HeaderByteCount = 16;
    private const int Alignment = 16;

    private byte* _next;
    private readonly byte* _end;

    /// <summary>A block for <paramref name="byteCount"/> bytes, cleared; sum the parts' <see cref="Size"/>.</summary>
    public NativeBlock(nuint byteCount)
    {
        byte* memory = (byte*)NativeMemory.AllocZeroed(byteCount + HeaderByteCount);
        *(ulong*)memory = Mark;
        Address = memory + HeaderByteCount;
        _next = (byte*)Address;
        _end = _next + byteCount;
    }

    /// <summary>The caller's pointer.</summary>
    public void* Address { get; }

    /// <summary>What an array of that many T takes of a block.</summary>
    public static nuint Size<T>(int count)
        where T : unmanaged => ((nuint)count * (nuint)sizeof(T) + Alignment - 1) / Alignment * Alignment;

    /// <summary>What a text takes of a block; nothing for none.</summary>
    public static nuint Size(string? text) => text is null ? 0 : Size<byte>(Encoding.UTF8.GetByteCount(text) + 1);

    /// <summary>The next part of the block.</summary>
    public T* Take<T>(int count)
        where T : unmanaged
    {
        T* part = (T*)_next;
        _next += Size<T>(count);
        return _next <= _end ? part : throw new InvalidOperationException("a result is larger than was reckoned");
    }

    /// <summary>The next part of the block, filled with the text and a zero byte; null for none.</summary>
    public byte* Take(string? text)
    {
        if (text is null)
        {
            return null;
        }

        int length = Encoding.UTF8.GetByteCount(text);
        byte* part = Take<byte>(length + 1);
        Write(text, new Span<byte>(part, length));
        return part;
    }

    /// <summary>A handle: a block that keeps a managed object alive until it is freed.</summary>
    public static void* Keep(object target)
    {
        var block = new NativeBlock(0);
        Handle(block.Address) = GCHandle.ToIntPtr(GCHandle.Alloc(target));
        return block.Address;
    }

    /// <summary>The object of a handle.</summary>
    /// <exception cref="ArgumentException">The pointer is no handle to such an object.</exception>
    public static T Target<T>(void* address, string name)
        where T : class
    {
        if (address == null || *MarkOf(address) != Mark || Handle(address) == 0 || GCHandle.FromIntPtr(Handle(address)).Target is not T target)
        {
            throw new ArgumentException(address == null ? $"{name} is NULL" : $"{name} is not one, or was freed");
        }

        return target;
    }

    public static void Free(void* address)
    {
        if (address == null || *MarkOf(address) != Mark)
        {
            return;
        }

        *MarkOf(address) = 0;
        if (Handle(address) != 0)
        {
            var handle = GCHandle.FromIntPtr(Handle(address));
            (handle.Target as IDisposable)?.Dispose();
            handle.Free();
        }

        NativeMemory.Free(MarkOf(address));
    }

    /// <summary>A text in memory of its own.</summary>
    public static byte* CopyText(string text)
    {
        int length = Encoding.UTF8.GetByteCount(text);
        byte* copy = (byte*)NativeMemory.AllocZeroed((nuint)length + 1);
        Write(text, new Span<byte>(copy, length));
        return copy;
    }

    // C ends a string at its first zero byte: one inside becomes SUBSTITUTE, which is as long.
    private static void Write(string text, Span<byte> destination)
    {
        Encoding.UTF8.GetBytes(text, destination);
        destination.Replace((byte)0, (byte)0x1A);
    }

    private static ulong* MarkOf(void* address) => (ulong*)((byte*)address - HeaderByteCount);

    private static ref nint Handle(void* address) => ref *(nint*)((byte*)address - sizeof(ulong));
}
