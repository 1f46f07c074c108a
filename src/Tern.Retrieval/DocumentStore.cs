using System.Text;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// Memory-mapped payloads (UTF-8 JSON by convention, any bytes) by external id. Safe for concurrent readers; spans are
/// valid until Dispose.
/// </summary>
public sealed class DocumentStore : IDisposable
{
    internal const string FileName = "documents.tern";

    /// <summary>"TernDoc" in ASCII.</summary>
    internal static readonly ulong Magic = SectionFile.NameCode("TernDoc");

    private readonly SectionFile _file;
    private readonly ExternalIds _ids;
    private readonly StringTable _payloads;
    private bool _disposed;

    private DocumentStore(SectionFile file)
    {
        _file = file;
        long count = file.Place("paystart").Length / sizeof(ulong);
        if (count is < 1 or > int.MaxValue)
        {
            throw file.InvalidElement("paystart", $"{count} starts are not those of a document store");
        }

        DocumentCount = (int)count - 1;
        _ids = new ExternalIds(file, DocumentCount);
        _payloads = new StringTable(file, "paystart", "payload", DocumentCount);
    }

    public int DocumentCount { get; }

    public long ByteCount => _file.ByteCount;

    internal ulong HeaderHash => _file.HeaderHash;

    /// <summary>True when the directory holds a finished store.</summary>
    public static bool Exists(string directory) => File.Exists(Path.Combine(directory, FileName));

    /// <summary>
    /// Opens the store of a directory. With <paramref name="verify"/> every checksum is compared, without only the header, and
    /// ids and payloads when they are first read. Damage is an <see cref="InvalidDataException"/> naming file, section and offset.
    /// </summary>
    public static DocumentStore Open(string directory, bool verify = true)
    {
        if (!Directory.Exists(directory))
        {
            throw new DirectoryNotFoundException($"the directory {directory} does not exist");
        }

        return Open(PhysicalFiles.Instance, directory, verify);
    }

    internal static DocumentStore Open(IFileSystem files, string directory, bool verify)
    {
        SectionFile file = files.OpenSections(Path.Combine(directory, FileName), Magic);
        try
        {
            if (verify)
            {
                file.Verify();
            }

            return new DocumentStore(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public void Verify() => _file.Verify();

    /// <summary>False, and an empty span, for an id that is not stored.</summary>
    public bool TryGet(string externalId, out ReadOnlySpan<byte> utf8Payload)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        bool found = _ids.TryFind(externalId, out int document);
        utf8Payload = found ? Payload(document) : default;
        return found;
    }

    internal bool TryGet(ReadOnlySpan<byte> utf8Id, out ReadOnlySpan<byte> utf8Payload)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        bool found = _ids.TryFind(utf8Id, out int document);
        utf8Payload = found ? Payload(document) : default;
        return found;
    }

    /// <summary>The payload as text, or null for an id that is not stored.</summary>
    public string? Text(string externalId) => TryGet(externalId, out ReadOnlySpan<byte> payload) ? Encoding.UTF8.GetString(payload) : null;

    /// <summary>The payload of the document added as number <paramref name="document"/>.</summary>
    public ReadOnlySpan<byte> Payload(int document)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(document);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(document, DocumentCount);
        return _payloads[document];
    }

    public string ExternalId(int document) => _ids.Text(document);

    public void Dispose()
    {
        _disposed = true;
        _file.Dispose();
    }
}
