using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Tern.Retrieval.Files;

/// <summary>
/// Memory between two pages that nobody may read, so that a read before its first or past its last 64 bytes ends the process
/// instead of finding something there. For tests of readers; on Windows without the pages.
/// </summary>
internal sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int Readable = 1, Writable = 2, None = 0;
    private const int Private = 2;

    private readonly byte* _all;
    private readonly nuint _byteCount;

    public GuardedMemory(long byteCount)
    {
        nuint page = (nuint)Environment.SystemPageSize;
        nuint inner = ((nuint)byteCount + page - 1) / page * page;
        _byteCount = inner + (2 * page);
        if (OperatingSystem.IsWindows())
        {
            _all = (byte*)NativeMemory.AlignedAlloc(_byteCount, page);
        }
        else
        {
            // The flag of memory without a file is the one number that differs.
            _all = (byte*)Map(null, _byteCount, Readable | Writable, Private | (OperatingSystem.IsLinux() ? 0x20 : 0x1000), -1, 0);
            if ((nint)_all == -1 || Protect(_all, page, None) != 0 || Protect(_all + page + inner, page, None) != 0)
            {
                throw new Win32Exception();
            }
        }

        Start = (byte*)((nuint)(_all + page + inner - byteCount) & ~(nuint)63);
    }

    /// <summary>64-aligned; at most 63 bytes lie between the end and the page after it.</summary>
    public byte* Start { get; }

    public void Dispose()
    {
        if (OperatingSystem.IsWindows())
        {
            NativeMemory.AlignedFree(_all);
        }
        else
        {
            _ = Unmap(_all, _byteCount);
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(void* address, nuint length);
}
