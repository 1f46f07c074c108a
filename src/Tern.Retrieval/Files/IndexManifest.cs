using System.IO.Hashing;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tern.Retrieval.Files;

/// <summary>
/// <c>manifest.json</c>: what an index directory holds, readable by people and checked by machines. It is written last,
/// so a directory without one is not an index. <see cref="Checksum"/> covers every other field.
/// </summary>
internal sealed record IndexManifest
{
    public const string FileName = "manifest.json";

    public required int Version { get; init; }

    /// <summary>"sparse" or "dense".</summary>
    public required string Kind { get; init; }

    public required int DocumentCount { get; init; }

    /// <summary>Sparse: number of term ids; dense: vector length.</summary>
    public required int Dimension { get; init; }

    /// <summary>Stored values: postings or vector elements.</summary>
    public required long ValueCount { get; init; }

    public required string Precision { get; init; }

    /// <summary>Of the model that made the vectors; queries of another model are refused by their owner.</summary>
    public required string Fingerprint { get; init; }

    public required string FileNameOfSegment { get; init; }

    public required long SegmentByteCount { get; init; }

    /// <summary>The segment's own header checksum, which covers all of it.</summary>
    public required string SegmentChecksum { get; init; }

    public string Checksum { get; init; } = "";

    /// <summary>The segment's name in the directory must be durable before.</summary>
    public void Save(IFileSystem files, string directory)
    {
        files.SyncDirectory(directory);
        string path = Path.Combine(directory, FileName);
        using (Stream stream = files.Create(path + ".tmp"))
        {
            JsonSerializer.Serialize(stream, WithChecksum(), ManifestJsonContext.Default.IndexManifest);
            stream.Write("\n"u8);
            files.Sync(stream);
        }

        files.Move(path + ".tmp", path);
        files.SyncDirectory(directory);
    }

    public static IndexManifest Load(IFileSystem files, string directory, string kind)
    {
        string path = Path.Combine(directory, FileName);
        if (!files.Exists(path))
        {
            throw Directory.Exists(directory)
                ? new FileNotFoundException($"{path} is missing: {directory} is not a finished index; build it with 'tern index'", path)
                : new DirectoryNotFoundException($"the index directory {directory} does not exist; build it with 'tern index'");
        }

        IndexManifest? manifest;
        try
        {
            manifest = JsonSerializer.Deserialize(files.ReadAllBytes(path), ManifestJsonContext.Default.IndexManifest);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: section 'manifest' at offset {e.BytePositionInLine ?? 0} of line {(e.LineNumber ?? 0) + 1}: not a valid manifest; build the index again", e);
        }

        if (manifest is null || manifest.Checksum != manifest.ComputeChecksum())
        {
            throw new InvalidDataException($"{path}: section 'manifest' at offset 0: the checksum does not match: the file is damaged or was edited; build the index again");
        }

        if (manifest.Version != (int)SectionFile.Version)
        {
            throw new InvalidDataException($"{path}: section 'manifest' at offset 0: format version {manifest.Version}, this build reads {SectionFile.Version}; build the index again");
        }

        if (manifest.DocumentCount < 0 || manifest.Dimension < 0 || manifest.FileNameOfSegment.Length == 0 || manifest.FileNameOfSegment != Path.GetFileName(manifest.FileNameOfSegment))
        {
            throw new InvalidDataException($"{path}: section 'manifest' at offset 0: {manifest.DocumentCount} documents of {manifest.Dimension} in '{manifest.FileNameOfSegment}' cannot be; build the index again");
        }

        return manifest.Kind == kind ? manifest : throw new InvalidDataException($"{path}: section 'manifest' at offset 0: a {manifest.Kind} index where a {kind} one is needed");
    }

    /// <summary>Opens the segment that this manifest names, and nothing else under that name.</summary>
    public SectionFile OpenSegment(IFileSystem files, string directory, ulong magic)
    {
        SectionFile file = files.OpenSections(Path.Combine(directory, FileNameOfSegment), magic);
        if (file.ByteCount != SegmentByteCount || Hex(file.HeaderHash) != SegmentChecksum)
        {
            file.Dispose();
            throw new InvalidDataException($"{file.Path}: section 'header' at offset 0: not the file that {FileName} describes (it belongs to another build); build the index again");
        }

        return file;
    }

    public IndexManifest WithChecksum() => this with { Checksum = ComputeChecksum() };

    public static string Hex(ulong hash) => hash.ToString("x16", System.Globalization.CultureInfo.InvariantCulture);

    private string ComputeChecksum() => Hex(XxHash3.HashToUInt64(JsonSerializer.SerializeToUtf8Bytes(this with { Checksum = "" }, ManifestJsonContext.Default.IndexManifest)));
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(IndexManifest))]
internal sealed partial class ManifestJsonContext : JsonSerializerContext;
