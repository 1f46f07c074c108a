namespace Tern.Retrieval.Files;

/// <summary>Files in memory, for segments that exist only while they are read. Not thread-safe.</summary>
internal sealed class MemoryFiles : IFileSystem
{
    private readonly Dictionary<string, MemoryStream> _files = [];

    public Stream Create(string path) => _files[path] = new KeptStream();

    public Stream OpenToWrite(string path) => throw new NotSupportedException("a file in memory is written once");

    public void Sync(Stream stream)
    {
    }

    public void Move(string from, string to)
    {
        _files.Remove(from, out MemoryStream? stream);
        _files[to] = stream ?? throw new FileNotFoundException($"{from} is missing", from);
    }

    public void Delete(string path) => _files.Remove(path);

    public void CreateDirectory(string path)
    {
    }

    public void DeleteDirectory(string path) => throw new NotSupportedException("memory has no directories");

    public void SyncDirectory(string path)
    {
    }

    public bool Exists(string path) => _files.ContainsKey(path);

    public byte[] ReadAllBytes(string path) => _files[path].ToArray();

    public SectionFile OpenSections(string path, ulong magic) =>
        SectionFile.Open(path, magic, _files.TryGetValue(path, out MemoryStream? stream) ? stream.GetBuffer().AsSpan(0, (int)stream.Length) : throw new FileNotFoundException($"{path} is missing", path));

    /// <summary>Can still be read when its writer closed it.</summary>
    private sealed class KeptStream : MemoryStream
    {
        private long _length = -1;

        public override long Length => _length >= 0 ? _length : base.Length;

        protected override void Dispose(bool disposing)
        {
            if (_length < 0)
            {
                _length = base.Length;
            }

            base.Dispose(disposing);
        }
    }
}
