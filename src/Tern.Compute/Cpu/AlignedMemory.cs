using System.Runtime.InteropServices;

namespace Tern.Compute.Cpu;

/// <summary>
/// Native memory aligned to 64 bytes: a cache line and the widest vector. Large blocks ask Linux for huge pages: operations
/// that visit rows here and there wait for address translation otherwise, those that walk many tensors at once too, and
/// first touches of small pages are slow under some hypervisors.
/// </summary>
internal static unsafe partial class AlignedMemory
{
    private const nuint Alignment = 64, HugePage = 2 << 20;
    private const int AdviceHugePage = 14;

    /// <summary>At least 64 bytes; freed by <see cref="Free"/>.</summary>
    public static void* Allocate(nuint byteCount)
    {
        bool large = byteCount >= HugePage;
        void* address = NativeMemory.AlignedAlloc(Math.Max(byteCount, Alignment), large ? HugePage : Alignment);
        if (large && OperatingSystem.IsLinux())
        {
            _ = AdviseMemory(address, byteCount & ~(HugePage - 1), AdviceHugePage);
        }

        return address;
    }

    public static void Free(void* address) => NativeMemory.AlignedFree(address);

    /// <summary>A wish: a system without huge pages, or with none left, answers with an error that changes nothing.</summary>
    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int AdviseMemory(void* address, nuint byteCount, int advice);
}
