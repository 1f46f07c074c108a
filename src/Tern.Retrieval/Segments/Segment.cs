using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// An opened segment, shared by the generations that have it: closed when the last of them lets go. Safe for concurrent
/// readers.
/// </summary>
internal sealed class Segment
{
    private int _holders = 1;

    private Segment(string name, SparseIndex? sparse, DenseIndex? dense, DocumentStore? payloads, FieldColumns? fields)
    {
        Name = name;
        Sparse = sparse;
        Dense = dense;
        Payloads = payloads;
        Fields = fields;
    }

    /// <summary>The directory within the index.</summary>
    public string Name { get; }

    /// <summary>Null in a dense segment, as <see cref="Dense"/> is in a sparse one.</summary>
    public SparseIndex? Sparse { get; }

    public DenseIndex? Dense { get; }

    public DocumentStore? Payloads { get; }

    public FieldColumns? Fields { get; }

    /// <summary>Deleted ones included.</summary>
    public int DocumentCount => Sparse?.DocumentCount ?? Dense!.DocumentCount;

    public long ByteCount => (Sparse?.ByteCount ?? Dense!.ByteCount) + (Payloads?.ByteCount ?? 0) + (Fields?.ByteCount ?? 0);

    /// <summary>Stands for the file of the vectors.</summary>
    public string Checksum => IndexManifest.Hex(Sparse?.HeaderHash ?? Dense!.HeaderHash);

    public string PayloadChecksum => Payloads is null ? "" : IndexManifest.Hex(Payloads.HeaderHash);

    public string FieldsChecksum => Fields is null ? "" : IndexManifest.Hex(Fields.HeaderHash);

    /// <summary>What the segment by itself says of the index it is of.</summary>
    public IndexSettings Settings => new()
    {
        Kind = Sparse is not null ? VectorKind.Sparse : VectorKind.Dense,
        Dimension = Sparse?.VocabularySize ?? Dense!.Dimension,
        Precision = Sparse?.Precision ?? ImpactPrecision.Byte,
        Layout = Sparse?.Layout ?? PostingLayout.Packed,
        Scan = Dense?.Scan ?? DenseScan.Float32,
        Fingerprint = Sparse?.Fingerprint ?? Dense!.Fingerprint,
        HasPayload = Payloads is not null,
        Fields = Fields?.Fields ?? [],
        ImpactScale = Sparse is { Precision: ImpactPrecision.Byte, PostingCount: > 0 } ? Sparse.ImpactScale : 0,
    };

    public static Segment Open(IFileSystem files, string root, string name, bool verify)
    {
        string directory = Directory(root, name);
        SparseIndex? sparse = null;
        DenseIndex? dense = null;
        DocumentStore? payloads = null;
        try
        {
            if (files.Exists(Path.Combine(directory, DenseIndex.FileName)))
            {
                dense = DenseIndex.Open(files, directory, verify);
            }
            else
            {
                sparse = SparseIndex.Open(files, directory, verify);
            }

            payloads = files.Exists(Path.Combine(directory, DocumentStore.FileName)) ? DocumentStore.Open(files, directory, verify) : null;
            FieldColumns? fields = files.Exists(Path.Combine(directory, FieldColumns.FileName)) ? FieldColumns.Open(files, directory, verify) : null;
            var segment = new Segment(name, sparse, dense, payloads, fields);
            if ((payloads is not null && payloads.DocumentCount != segment.DocumentCount) || (fields is not null && fields.DocumentCount != segment.DocumentCount))
            {
                fields?.Dispose();
                throw new InvalidDataException($"{directory}: section 'header' at offset 0: the segment has {segment.DocumentCount} vectors, but {payloads?.DocumentCount ?? segment.DocumentCount} payloads and {fields?.DocumentCount ?? segment.DocumentCount} rows of fields: files of another build; build the index again");
            }

            return segment;
        }
        catch
        {
            sparse?.Dispose();
            dense?.Dispose();
            payloads?.Dispose();
            throw;
        }
    }

    public static string Directory(string root, string name) => name == "." ? root : Path.Combine(root, name);

    /// <summary>Whether the files are those that a generation names and what it says of all segments is true of this one; else throws.</summary>
    public void Require(string root, GenerationSegment expected, IndexSettings settings)
    {
        if (DocumentCount != expected.DocumentCount || Checksum != expected.Checksum || PayloadChecksum != expected.PayloadChecksum || FieldsChecksum != expected.FieldsChecksum)
        {
            throw new InvalidDataException($"{Directory(root, Name)}: section 'header' at offset 0: not the segment that the generation describes (files of another build); restore the index or build it again");
        }

        IndexSettings own = Settings;
        string? differs = settings.Differs(own) ?? (settings.HasPayload != own.HasPayload ? $"it stores {(own.HasPayload ? "" : "no ")}payloads" : null);
        if (differs is not null)
        {
            throw new InvalidDataException($"{Directory(root, Name)}: section 'header' at offset 0: not what the generation says of all segments: {differs}; restore the index or build it again");
        }
    }

    public ReadOnlySpan<byte> IdBytes(int document) => Sparse is not null ? Sparse.IdBytes(document) : Dense!.IdBytes(document);

    public string ExternalId(int document) => Sparse?.ExternalId(document) ?? Dense!.ExternalId(document);

    public bool TryFind(ReadOnlySpan<byte> utf8, out int document) => Sparse is not null ? Sparse.TryFind(utf8, out document) : Dense!.TryFind(utf8, out document);

    /// <summary>The stored bytes of a document, valid while the segment is open; empty where nothing is stored.</summary>
    public ReadOnlySpan<byte> Payload(int document) => Payloads is not null && Payloads.TryGet(IdBytes(document), out ReadOnlySpan<byte> payload) ? payload : default;

    /// <summary>A document as it can be added again.</summary>
    public IndexDocument Document(int document) => new(ExternalId(document))
    {
        Sparse = Sparse?.Vector(document),
        Dense = Dense is null ? default : Dense.Vector(document).ToArray(),
        Payload = Payload(document).ToArray(),
        Fields = Fields?.Document(document) ?? [],
    };

    public Segment Hold()
    {
        Interlocked.Increment(ref _holders);
        return this;
    }

    public void Release()
    {
        if (Interlocked.Decrement(ref _holders) == 0)
        {
            Sparse?.Dispose();
            Dense?.Dispose();
            Payloads?.Dispose();
            Fields?.Dispose();
        }
    }
}
