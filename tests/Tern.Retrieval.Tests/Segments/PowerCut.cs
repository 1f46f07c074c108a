using System.IO.Hashing;
using System.Text;

namespace Tern.Retrieval.Tests.Segments;

/// <summary>What happens to that which was asked of the disk but not yet flushed.</summary>
internal enum Unsynced
{
    /// <summary>None of it was done.</summary>
    Lost,

    /// <summary>All of it was done: a process that is killed while the machine goes on.</summary>
    Kept,

    /// <summary>Any part of it was done, in any order; a write may be torn between sectors.</summary>
    Mixed,
}

/// <summary>
/// The state of a disk after the first operations of a list and a power cut. A file's bytes are certain once it is synced,
/// names once their directory is.
/// </summary>
internal sealed class PowerCut
{
    private const int SectorByteCount = 512;

    private readonly Dictionary<int, List<byte>> _contents = [];
    private readonly Dictionary<string, int> _names = [];
    private readonly HashSet<string> _directories;
    private readonly Random _random;
    private readonly Unsynced _unsynced;

    private PowerCut(string root, Unsynced unsynced, int seed)
    {
        _directories = [root];
        _unsynced = unsynced;
        _random = new Random(seed);
    }

    /// <summary>The files by path under <paramref name="root"/>, which was there before.</summary>
    public static SortedDictionary<string, byte[]> After(string root, IReadOnlyList<FileOperation> operations, int count, Unsynced unsynced, int seed)
    {
        var cut = new PowerCut(root, unsynced, seed);
        var syncedFile = new Dictionary<int, int>();
        var syncedDirectory = new Dictionary<string, int>();
        for (int i = 0; i < count; i++)
        {
            switch (operations[i])
            {
                case FileOperation.Sync sync:
                    syncedFile[sync.File] = i;
                    break;
                case FileOperation.SyncDirectory sync:
                    syncedDirectory[sync.Path] = i;
                    break;
            }
        }

        bool IsFileSynced(int file, int i) => syncedFile.TryGetValue(file, out int at) && at > i;
        bool IsSynced(string path, int i) => syncedDirectory.TryGetValue(Path.GetDirectoryName(path)!, out int at) && at > i;
        for (int i = 0; i < count; i++)
        {
            switch (operations[i])
            {
                case FileOperation.Write write:
                    cut.Write(write, IsFileSynced(write.File, i));
                    break;
                case FileOperation.SetLength set when IsFileSynced(set.File, i) || cut.Happens():
                    cut.SetLength(set.File, set.Length);
                    break;
                case FileOperation.Link link when IsSynced(link.Path, i) || cut.Happens():
                    cut._names[link.Path] = link.File;
                    break;
                case FileOperation.Unlink unlink when IsSynced(unlink.Path, i) || cut.Happens():
                    cut._names.Remove(unlink.Path);
                    break;
                case FileOperation.Rename rename when IsSynced(rename.To, i) || cut.Happens():
                    cut._names.Remove(rename.From);
                    cut._names[rename.To] = cut.FileOf(operations, i, rename.From);
                    break;
                case FileOperation.MakeDirectory make when IsSynced(make.Path, i) || cut.Happens():
                    cut._directories.Add(make.Path);
                    break;
                case FileOperation.RemoveDirectory remove when IsSynced(remove.Path, i) || cut.Happens():
                    cut._directories.Remove(remove.Path);
                    break;
            }
        }

        var files = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach ((string path, int file) in cut._names)
        {
            if (cut._directories.Contains(Path.GetDirectoryName(path)!))
            {
                files.Add(Path.GetRelativePath(root, path), cut._contents.TryGetValue(file, out List<byte>? bytes) ? [.. bytes] : []);
            }
        }

        return files;
    }

    /// <summary>Writes a state into an empty directory.</summary>
    public static void Restore(SortedDictionary<string, byte[]> files, string directory)
    {
        foreach ((string path, byte[] bytes) in files)
        {
            string target = Path.Combine(directory, path);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.WriteAllBytes(target, bytes);
        }
    }

    public static ulong Signature(SortedDictionary<string, byte[]> files)
    {
        var hash = new XxHash3();
        foreach ((string path, byte[] bytes) in files)
        {
            hash.Append(Encoding.UTF8.GetBytes($"{path}\n{bytes.Length}\n"));
            hash.Append(bytes);
        }

        return hash.GetCurrentHashAsUInt64();
    }

    private bool Happens() => _unsynced == Unsynced.Kept || (_unsynced == Unsynced.Mixed && _random.Next(2) == 0);

    /// <summary>The file that had a name just before an operation, whether the name was durable or not.</summary>
    private int FileOf(IReadOnlyList<FileOperation> operations, int before, string path)
    {
        for (int i = before - 1; i >= 0; i--)
        {
            switch (operations[i])
            {
                case FileOperation.Link link when link.Path == path:
                    return link.File;
                case FileOperation.Rename rename when rename.To == path:
                    return FileOf(operations, i, rename.From);
            }
        }

        throw new InvalidOperationException($"{path} was never made");
    }

    private void Write(FileOperation.Write write, bool isSynced)
    {
        for (int at = 0; at < write.Bytes.Length;)
        {
            int count = (int)Math.Min(write.Bytes.Length - at, SectorByteCount - ((write.Offset + at) % SectorByteCount));
            if (isSynced || Happens())
            {
                long end = write.Offset + at + count;
                SetLength(write.File, Math.Max(end, Content(write.File).Count));
                for (int i = 0; i < count; i++)
                {
                    Content(write.File)[(int)write.Offset + at + i] = write.Bytes[at + i];
                }
            }

            at += count;
        }
    }

    private void SetLength(int file, long length)
    {
        List<byte> content = Content(file);
        if (length < content.Count)
        {
            content.RemoveRange((int)length, content.Count - (int)length);
        }

        content.AddRange(new byte[length - content.Count]);
    }

    private List<byte> Content(int file)
    {
        if (!_contents.TryGetValue(file, out List<byte>? content))
        {
            _contents.Add(file, content = []);
        }

        return content;
    }
}
