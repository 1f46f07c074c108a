using Tern.Compute.Cpu;
using Tern.Compute.Memory;

namespace Tern.Compute.Threading;

/// <summary>Native working memory, aligned to a cache line, that an operation rents from its <see cref="WorkerPool"/> and gives back by disposing the <see cref="ScratchLease"/>.</summary>
internal sealed unsafe class ScratchBuffer(MemoryMeter? meter = null)
{
    private const nuint Alignment = 64;
    private void* _memory;
    private nint _byteCount;

    ~ScratchBuffer() => AlignedMemory.Free(_memory);

    /// <summary>The start of at least <paramref name="count"/> floats; growing loses what was there.</summary>
    public float* Floats(nint count) => Elements<float>(count);

    /// <summary>The start of at least <paramref name="count"/> elements; growing loses what was there.</summary>
    public T* Elements<T>(nint count)
        where T : unmanaged
    {
        nint needed = count * sizeof(T);
        if (needed > _byteCount)
        {
            AlignedMemory.Free(_memory);
            _memory = null;
            meter?.Add(-_byteCount);
            _byteCount = 0;

            // An eighth more than asked, so that slowly growing batches do not reallocate every time.
            nint bytes = (needed + (needed / 8) + (nint)Alignment) & ~((nint)Alignment - 1);
            _memory = AlignedMemory.Allocate((nuint)bytes);
            _byteCount = bytes;
            meter?.Add(bytes);
        }

        return (T*)_memory;
    }
}

/// <summary>The use of one <see cref="ScratchBuffer"/> until disposed.</summary>
internal readonly ref struct ScratchLease(WorkerPool pool, ScratchBuffer buffer)
{
    public ScratchBuffer Buffer { get; } = buffer;

    public void Dispose() => pool.Return(Buffer);
}
