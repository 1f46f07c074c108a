using System.Text;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// Writes a document store: payloads go to the disk as they are added, ids are kept in memory. The file appears under its
/// name at <see cref="Complete"/>; disposing earlier leaves nothing behind. Not thread-safe.
/// </summary>
public sealed class DocumentStoreWriter : IDisposable
{
    private readonly IFileSystem _files;
    private readonly string _directory;
    private readonly SectionFileWriter _writer;
    private readonly ExternalIdsBuilder _ids = new();
    private readonly List<ulong> _starts = [0];

    public DocumentStoreWriter(string directory)
        : this(PhysicalFiles.Instance, directory)
    {
    }

    internal DocumentStoreWriter(IFileSystem files, string directory)
    {
        files.CreateDirectory(directory);
        _files = files;
        _directory = directory;
        _writer = new SectionFileWriter(files, Path.Combine(directory, DocumentStore.FileName), DocumentStore.Magic);
        _writer.Begin("payload");
    }

    /// <summary>A repeated id is reported by <see cref="Complete"/>.</summary>
    public void Add(string externalId, ReadOnlySpan<byte> utf8Payload)
    {
        _ids.Add(externalId);
        _writer.Append(utf8Payload);
        _starts.Add(_starts[^1] + (ulong)utf8Payload.Length);
    }

    public void Add(string externalId, string payload) => Add(externalId, Encoding.UTF8.GetBytes(payload));

    public void Complete()
    {
        _writer.Write<ulong>("paystart", System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_starts));
        _ids.Write(_writer);
        _writer.Complete();
        _files.SyncDirectory(_directory);
    }

    public void Dispose() => _writer.Dispose();
}
