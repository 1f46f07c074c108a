using Tern.Retrieval.Files;

namespace Tern.Retrieval.Fuzzing;

/// <summary>The disk, with what is opened copied between pages that must not be read.</summary>
internal sealed class GuardedFiles : IFileSystem
{
    public static readonly GuardedFiles Instance = new();

    private static readonly PhysicalFiles Disk = PhysicalFiles.Instance;

    private GuardedFiles()
    {
    }

    public Stream Create(string path) => Disk.Create(path);

    public Stream OpenToWrite(string path) => Disk.OpenToWrite(path);

    public void Sync(Stream stream) => Disk.Sync(stream);

    public void Move(string from, string to) => Disk.Move(from, to);

    public void Delete(string path) => Disk.Delete(path);

    public void CreateDirectory(string path) => Disk.CreateDirectory(path);

    public void DeleteDirectory(string path) => Disk.DeleteDirectory(path);

    public void SyncDirectory(string path) => Disk.SyncDirectory(path);

    public bool Exists(string path) => Disk.Exists(path);

    public byte[] ReadAllBytes(string path) => Disk.ReadAllBytes(path);

    public SectionFile OpenSections(string path, ulong magic) => File.Exists(path)
        ? SectionFile.Open(path, magic, Disk.ReadAllBytes(path), isGuarded: true)
        : throw new FileNotFoundException($"{path} is missing", path);
}
