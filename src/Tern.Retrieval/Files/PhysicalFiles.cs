namespace Tern.Retrieval.Files;

/// <summary>The disk.</summary>
internal sealed class PhysicalFiles : IFileSystem
{
    private const int BufferByteCount = 1 << 16;

    public static readonly PhysicalFiles Instance = new();

    private PhysicalFiles()
    {
    }

    public Stream Create(string path) => new FileStream(path, FileMode.Create, FileAccess.ReadWrite, FileShare.Read, BufferByteCount);

    public Stream OpenToWrite(string path) => new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read, 0);

    public void Sync(Stream stream) => ((FileStream)stream).Flush(flushToDisk: true);

    public void Move(string from, string to) => File.Move(from, to, overwrite: true);

    public void Delete(string path) => File.Delete(path);

    public void CreateDirectory(string path) => Directory.CreateDirectory(path);

    public void DeleteDirectory(string path) => Directory.Delete(path, recursive: true);

    public void SyncDirectory(string path) => DirectoryFlush.Flush(path);

    public bool Exists(string path) => File.Exists(path);

    public byte[] ReadAllBytes(string path)
    {
        // Shared with the writer of a log, which File.ReadAllBytes would not be everywhere.
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    public SectionFile OpenSections(string path, ulong magic) => SectionFile.Open(path, magic);
}
