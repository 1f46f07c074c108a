using System.Runtime.InteropServices;

namespace Tern.Retrieval;

/// <summary>Native memory, 64-byte aligned, that only grows. What it held is lost when it grows.</summary>
internal sealed unsafe class NativeBuffer<T> : IDisposable
    where T : unmanaged
{
    private long _capacity;

    public T* Pointer { get; private set; }

    /// <summary>Room for at least so many elements and 64 bytes of slack; new memory is zero.</summary>
    public T* Ensure(long count)
    {
        if (count > _capacity)
        {
            NativeMemory.AlignedFree(Pointer);
            Pointer = null;
            _capacity = 0;
            nuint bytes = (nuint)((count * sizeof(T)) + 128);
            Pointer = (T*)NativeMemory.AlignedAlloc(bytes, 64);
            NativeMemory.Clear(Pointer, bytes);
            _capacity = count;
        }

        return Pointer;
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
        _capacity = 0;
    }
}
