using System.Runtime.InteropServices;
using Tern.Retrieval.Files;

namespace Tern;

/// <summary>
/// A directory that appears whole or not at all: it is filled beside its place and renamed into it by
/// <see cref="Complete"/>; disposing it before that removes what was written. What stands in its place is replaced only
/// if it is empty or holds a marker, a file that shows it to be an earlier product of the same kind.
/// </summary>
public sealed partial class PendingDirectory : IDisposable
{
    private readonly string _target;
    private readonly string _old;
    private bool _completed;

    /// <exception cref="IOException">Something else stands at <paramref name="target"/>.</exception>
    public PendingDirectory(string target, params ReadOnlySpan<string> markers)
    {
        _target = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(target));
        _old = _target + ".old";
        if (File.Exists(_target))
        {
            throw new IOException($"{target}: a file is in the way of the output directory; move it or choose another");
        }

        if (!Directory.Exists(_target) && Directory.Exists(_old))
        {
            // Something was killed between two renames.
            Directory.Move(_old, _target);
        }

        bool isEarlier = false;
        foreach (string marker in markers)
        {
            isEarlier |= File.Exists(System.IO.Path.Combine(_target, marker));
        }

        if (!isEarlier && Directory.Exists(_target) && Directory.EnumerateFileSystemEntries(_target).Any())
        {
            throw new IOException($"{target}: the directory holds other files (no {markers[0]} of an earlier run); choose an empty or a new one");
        }

        Path = _target + ".partial";
        Remove(Path);
        Directory.CreateDirectory(Path);
    }

    /// <summary>Where to write.</summary>
    public string Path { get; }

    /// <summary>Puts the directory in its place; on Linux in one step, elsewhere in two where there was an earlier one.</summary>
    public void Complete()
    {
        DirectoryFlush.Flush(Path);
        string parent = System.IO.Path.GetDirectoryName(_target)!;
        if (Directory.Exists(_target) && TryExchange(Path, _target))
        {
            DirectoryFlush.Flush(parent);
            Remove(Path);
            _completed = true;
            return;
        }

        Remove(_old);
        if (Directory.Exists(_target))
        {
            Directory.Move(_target, _old);
        }

        Directory.Move(Path, _target);
        DirectoryFlush.Flush(parent);
        Remove(_old);
        _completed = true;
    }

    public void Dispose()
    {
        if (!_completed)
        {
            Remove(Path);
        }
    }

    private static void Remove(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }

    private static bool TryExchange(string a, string b)
    {
        const int OfWorkingDirectory = -100;
        const uint Exchange = 2;
        try
        {
            return OperatingSystem.IsLinux() && RenameAt2(OfWorkingDirectory, a, OfWorkingDirectory, b, Exchange) == 0;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "renameat2", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameAt2(int fromDirectory, string from, int toDirectory, string to, uint flags);
}
