namespace Tern.Compute.Cpu;

/// <summary>
/// Working memory that each thread keeps between operations, so that a steady loop allocates nothing. Contents are
/// whatever was there. An operation uses <see cref="Shared{T}"/> on the calling thread, for what its tasks read or
/// combine, and <see cref="Task{T}"/> inside a task; a second request of the same kind invalidates the first.
/// </summary>
internal static unsafe class ThreadScratch
{
    private const int Alignment = 64;

    [ThreadStatic]
    private static byte[]? s_shared;

    [ThreadStatic]
    private static byte[]? s_task;

    public static T* Shared<T>(nint count)
        where T : unmanaged => (T*)Reserve(ref s_shared, count * sizeof(T));

    public static T* Task<T>(nint count)
        where T : unmanaged => (T*)Reserve(ref s_task, count * sizeof(T));

    private static byte* Reserve(ref byte[]? memory, nint byteCount)
    {
        nint needed = byteCount + Alignment;
        if (memory is null || memory.Length < needed)
        {
            // Pinned arrays never move, so the address outlives this call as long as the thread-static field holds the array.
            memory = null;
            memory = GC.AllocateUninitializedArray<byte>(checked((int)(needed + (needed / 4))), pinned: true);
        }

        nint address = (nint)System.Runtime.CompilerServices.Unsafe.AsPointer(ref memory[0]);
        return (byte*)((address + Alignment - 1) & -(nint)Alignment);
    }
}
