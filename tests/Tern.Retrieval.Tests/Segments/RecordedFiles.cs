using Tern.Retrieval.Files;

namespace Tern.Retrieval.Tests.Segments;

/// <summary>One thing that a writer asked of the disk. A file is a number: names come and go.</summary>
internal abstract record FileOperation
{
    public sealed record Link(string Path, int File) : FileOperation;

    public sealed record Unlink(string Path) : FileOperation;

    public sealed record Rename(string From, string To) : FileOperation;

    public sealed record MakeDirectory(string Path) : FileOperation;

    public sealed record RemoveDirectory(string Path) : FileOperation;

    public sealed record SyncDirectory(string Path) : FileOperation;

    public sealed record Write(int File, long Offset, byte[] Bytes) : FileOperation;

    public sealed record SetLength(int File, long Length) : FileOperation;

    public sealed record Sync(int File) : FileOperation;

    /// <summary>Not of the disk: the test's own note of what is committed from here on.</summary>
    public sealed record Note(int Value) : FileOperation;
}

/// <summary>The disk, with a list of all that was asked of it, so that any state that a power cut could leave can be made again. Nothing is flushed, which takes time.</summary>
internal class RecordedFiles : IFileSystem
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _fileOfPath = [];
    private int _fileCount;

    public List<FileOperation> Operations { get; } = [];

    public void Note(int value) => Record(new FileOperation.Note(value));

    public Stream Create(string path)
    {
        int file;
        lock (_lock)
        {
            file = _fileOfPath[path] = _fileCount++;
        }

        Record(new FileOperation.Link(path, file));
        return new RecordedStream(this, (FileStream)PhysicalFiles.Instance.Create(path), file);
    }

    public Stream OpenToWrite(string path)
    {
        int file;
        lock (_lock)
        {
            file = _fileOfPath.TryGetValue(path, out int known) ? known : _fileOfPath[path] = _fileCount++;
        }

        return new RecordedStream(this, (FileStream)PhysicalFiles.Instance.OpenToWrite(path), file);
    }

    public void Sync(Stream stream)
    {
        var recorded = (RecordedStream)stream;
        Record(new FileOperation.Sync(recorded.File));
        recorded.Inner.Flush();
    }

    public void Move(string from, string to)
    {
        Record(new FileOperation.Rename(from, to));
        lock (_lock)
        {
            _fileOfPath[to] = _fileOfPath.Remove(from, out int file) ? file : _fileCount++;
        }

        PhysicalFiles.Instance.Move(from, to);
    }

    public void Delete(string path)
    {
        Record(new FileOperation.Unlink(path));
        PhysicalFiles.Instance.Delete(path);
    }

    public void CreateDirectory(string path)
    {
        if (!Directory.Exists(path))
        {
            Record(new FileOperation.MakeDirectory(path));
        }

        PhysicalFiles.Instance.CreateDirectory(path);
    }

    public void DeleteDirectory(string path)
    {
        foreach (string file in Directory.GetFiles(path))
        {
            Record(new FileOperation.Unlink(file));
        }

        Record(new FileOperation.RemoveDirectory(path));
        PhysicalFiles.Instance.DeleteDirectory(path);
    }

    public void SyncDirectory(string path) => Record(new FileOperation.SyncDirectory(path));

    public bool Exists(string path) => PhysicalFiles.Instance.Exists(path);

    public byte[] ReadAllBytes(string path) => PhysicalFiles.Instance.ReadAllBytes(path);

    public SectionFile OpenSections(string path, ulong magic) => PhysicalFiles.Instance.OpenSections(path, magic);

    /// <summary>Called before each operation; may throw in its place.</summary>
    protected virtual void Record(FileOperation operation)
    {
        lock (_lock)
        {
            Operations.Add(operation);
        }
    }

    private sealed class RecordedStream(RecordedFiles files, FileStream inner, int file) : Stream
    {
        public int File => file;

        public FileStream Inner => inner;

        public override bool CanRead => false;

        public override bool CanSeek => true;

        public override bool CanWrite => true;

        public override long Length => inner.Length;

        public override long Position
        {
            get => inner.Position;
            set => inner.Position = value;
        }

        public override void Flush() => inner.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);

        public override void SetLength(long value)
        {
            files.Record(new FileOperation.SetLength(file, value));
            inner.SetLength(value);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (buffer.Length > 0)
            {
                files.Record(new FileOperation.Write(file, inner.Position, buffer.ToArray()));
                inner.Write(buffer);
            }
        }

        protected override void Dispose(bool disposing)
        {
            inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
