using System.IO.Hashing;
using System.Text.Json;
using System.Text.Json.Serialization;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>One segment of a generation: its directory, "." for the index's own, what stands for its files, and its deleted documents.</summary>
internal sealed record GenerationSegment
{
    public required string Directory { get; init; }

    /// <summary>Deleted ones included.</summary>
    public required int DocumentCount { get; init; }

    /// <summary>Header checksums of the segment's files.</summary>
    public required string Checksum { get; init; }

    public string PayloadChecksum { get; init; } = "";

    public string FieldsChecksum { get; init; } = "";

    public int DeletedCount { get; init; }

    /// <summary>Empty while no document is deleted.</summary>
    public string DeletedFile { get; init; } = "";

    public string DeletedChecksum { get; init; } = "";

    public static GenerationSegment Of(Segment segment) => new()
    {
        Directory = segment.Name,
        DocumentCount = segment.DocumentCount,
        Checksum = segment.Checksum,
        PayloadChecksum = segment.PayloadChecksum,
        FieldsChecksum = segment.FieldsChecksum,
    };
}

/// <summary>
/// <c>generation-N.json</c>: the segments of an index, what they have in common, and the log of the commits after them. A
/// commit goes to the log; a new generation is written when the log is put into a segment or segments are merged.
/// <see cref="Checksum"/> covers every other field.
/// </summary>
internal sealed record GenerationManifest
{
    public const int CurrentVersion = 1;

    public required int Version { get; init; }

    public required long Generation { get; init; }

    /// <summary>The last commit that the segments hold; the log goes on from it.</summary>
    public required long Commit { get; init; }

    public required string Kind { get; init; }

    public required int Dimension { get; init; }

    public required string Precision { get; init; }

    public required string Layout { get; init; }

    public required string Scan { get; init; }

    public required string Fingerprint { get; init; }

    public required bool HasPayload { get; init; }

    public required string[] Fields { get; init; }

    public required float LargestWeight { get; init; }

    public required float ImpactScale { get; init; }

    public required string Log { get; init; }

    /// <summary>The number of the next segment's directory.</summary>
    public required long NextSegment { get; init; }

    public required GenerationSegment[] Segments { get; init; }

    public string Checksum { get; init; } = "";

    [JsonIgnore]
    public IndexSettings Settings => new()
    {
        Kind = Enum.Parse<VectorKind>(Kind),
        Dimension = Dimension,
        Precision = Enum.Parse<ImpactPrecision>(Precision),
        Layout = Enum.Parse<PostingLayout>(Layout),
        Scan = Enum.Parse<DenseScan>(Scan),
        Fingerprint = Fingerprint,
        HasPayload = HasPayload,
        Fields = Array.ConvertAll(Fields, FieldDefinition.Parse),
        LargestWeight = LargestWeight,
        ImpactScale = ImpactScale,
    };

    public static GenerationManifest Of(IndexSettings settings, long generation, long commit, string log, long nextSegment, GenerationSegment[] segments) => new()
    {
        Version = CurrentVersion,
        Generation = generation,
        Commit = commit,
        Kind = settings.Kind.ToString(),
        Dimension = settings.Dimension,
        Precision = settings.Precision.ToString(),
        Layout = settings.Layout.ToString(),
        Scan = settings.Scan.ToString(),
        Fingerprint = settings.Fingerprint,
        HasPayload = settings.HasPayload,
        Fields = [.. settings.Fields.Select(field => field.ToString())],
        LargestWeight = settings.LargestWeight,
        ImpactScale = settings.ImpactScale,
        Log = log,
        NextSegment = nextSegment,
        Segments = segments,
    };

    /// <summary>Writes the manifest under another name; nothing has changed if this fails.</summary>
    public void WriteAside(IFileSystem files, string directory)
    {
        using Stream stream = files.Create(Path.Combine(directory, GenerationFiles.Name(Generation)) + ".tmp");
        JsonSerializer.Serialize(stream, WithChecksum(), GenerationJsonContext.Default.GenerationManifest);
        stream.Write("\n"u8);
        files.Sync(stream);
    }

    /// <summary>Gives it its name. Everything that it names must be durable before; once this returns the generation is.</summary>
    public void Publish(IFileSystem files, string directory)
    {
        string path = Path.Combine(directory, GenerationFiles.Name(Generation));
        files.Move(path + ".tmp", path);
        files.SyncDirectory(directory);
    }

    public static GenerationManifest Parse(string path, ReadOnlySpan<byte> json)
    {
        GenerationManifest? manifest;
        try
        {
            manifest = JsonSerializer.Deserialize(json, GenerationJsonContext.Default.GenerationManifest);
        }
        catch (JsonException e)
        {
            throw Invalid(path, $"not a valid manifest (line {(e.LineNumber ?? 0) + 1}, byte {e.BytePositionInLine ?? 0})");
        }

        if (manifest is null || manifest.Checksum != manifest.ComputeChecksum())
        {
            throw Invalid(path, "the checksum does not match: the file is damaged or was edited");
        }

        if (manifest.Version != CurrentVersion)
        {
            throw Invalid(path, $"format version {manifest.Version}, this build reads {CurrentVersion}");
        }

        manifest.Check(path);
        return manifest;
    }

    /// <summary>Whether all values are ones that a writer writes, so that no reader meets another.</summary>
    private void Check(string path)
    {
        try
        {
            _ = Settings;
        }
        catch (ArgumentException e)
        {
            throw Invalid(path, e.Message);
        }

        if (Generation < 1 || Commit < 0 || Dimension < 1 || !(LargestWeight >= 0) || float.IsInfinity(LargestWeight) || !(ImpactScale >= 0) || float.IsInfinity(ImpactScale) || !IsName(Log))
        {
            throw Invalid(path, $"generation {Generation}, commit {Commit}, dimension {Dimension}, weights up to {LargestWeight}, scale {ImpactScale} or log '{Log}' cannot be");
        }

        foreach (GenerationSegment? segment in Segments)
        {
            if (segment is null || !IsName(segment.Directory) || segment.DocumentCount < 0 || segment.DeletedCount < 0 || segment.DeletedCount > segment.DocumentCount || (segment.DeletedFile.Length > 0 && !IsName(segment.DeletedFile)))
            {
                throw Invalid(path, $"segment '{segment?.Directory}' with {segment?.DocumentCount} documents, {segment?.DeletedCount} of them deleted, cannot be");
            }
        }
    }

    /// <summary>A file of the index's own directory, not one that a path leads to.</summary>
    private static bool IsName(string name) => name.Length > 0 && name == Path.GetFileName(name) && name != "..";

    public GenerationManifest WithChecksum() => this with { Checksum = ComputeChecksum() };

    private static InvalidDataException Invalid(string path, string problem) => new($"{path}: section 'manifest' at offset 0: {problem}; restore the index or build it again");

    private string ComputeChecksum() => IndexManifest.Hex(XxHash3.HashToUInt64(JsonSerializer.SerializeToUtf8Bytes(this with { Checksum = "" }, GenerationJsonContext.Default.GenerationManifest)));
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(GenerationManifest))]
internal sealed partial class GenerationJsonContext : JsonSerializerContext;
