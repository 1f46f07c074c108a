namespace Tern.Retrieval.Files;

/// <summary>
/// The file operations that an index is written and opened with, so that tests can cut the power after each of them.
/// What is written to a stream is durable only after <see cref="Sync"/>, a name (made, moved or deleted) only after
/// <see cref="SyncDirectory"/> of the directory that holds it.
/// </summary>
internal interface IFileSystem
{
    /// <summary>A new empty file to write, seek and cut; replaces one of that name.</summary>
    Stream Create(string path);

    /// <summary>An existing file to write at any place, unbuffered.</summary>
    Stream OpenToWrite(string path);

    /// <summary>Returns once the bytes of a stream of this file system are on the disk.</summary>
    void Sync(Stream stream);

    /// <summary>Renames a file; one that has the new name is replaced in the same step.</summary>
    void Move(string from, string to);

    void Delete(string path);

    void CreateDirectory(string path);

    /// <summary>Deletes a directory and what is in it.</summary>
    void DeleteDirectory(string path);

    void SyncDirectory(string path);

    bool Exists(string path);

    byte[] ReadAllBytes(string path);

    SectionFile OpenSections(string path, ulong magic);
}
