using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tern.Retrieval.Files;

/// <summary>Makes the names in a directory durable.</summary>
public static partial class DirectoryFlush
{
    /// <summary>Returns once files that were made, renamed or deleted there will be so after a power cut.</summary>
    public static void Flush(string path)
    {
        // Windows writes names through its own journal and cannot flush a directory.
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        using SafeFileHandle handle = Open(path, 0);
        if (handle.IsInvalid)
        {
            throw new IOException($"{path}: the directory cannot be opened to flush it: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        RandomAccess.FlushToDisk(handle);
    }

    // .NET opens no directories.
    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);
}
