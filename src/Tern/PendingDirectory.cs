namespace Tern;

/// <summary>
/// A directory that appears whole or not at all: it is filled beside its place and renamed into it by
/// <see cref="Complete"/>; disposing it before that removes what was written. What stands in its place is replaced only
/// if it is empty or holds <c>marker</c>, the file that shows it to be an earlier product of the same kind.
/// </summary>
public sealed class PendingDirectory : IDisposable
{
    private readonly string _target;
    private bool _completed;

    /// <exception cref="IOException">Something else stands at <paramref name="target"/>.</exception>
    public PendingDirectory(string target, string marker)
    {
        _target = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(target));
        if (File.Exists(_target))
        {
            throw new IOException($"{target}: a file is in the way of the output directory; move it or choose another");
        }

        if (Directory.Exists(_target) && Directory.EnumerateFileSystemEntries(_target).Any() && !File.Exists(System.IO.Path.Combine(_target, marker)))
        {
            throw new IOException($"{target}: the directory holds other files (no {marker} of an earlier run); choose an empty or a new one");
        }

        Path = _target + ".partial";
        Remove(Path);
        Directory.CreateDirectory(Path);
    }

    /// <summary>Where to write.</summary>
    public string Path { get; }

    /// <summary>Puts the directory in its place.</summary>
    public void Complete()
    {
        string old = _target + ".old";
        Remove(old);
        if (Directory.Exists(_target))
        {
            Directory.Move(_target, old);
        }

        Directory.Move(Path, _target);
        Remove(old);
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
}
