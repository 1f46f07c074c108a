using System.IO.Hashing;
using System.Text.Json;
using System.Text.Json.Serialization;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>What the queries were that a calibration searched.</summary>
public enum CalibrationSource
{
    /// <summary>The heaviest terms of the index's own documents.</summary>
    Documents,

    /// <summary>Queries that were given.</summary>
    Queries,
}

/// <summary>
/// <c>calibration.json</c> in an index directory: which approximations keep how much of the exact hits, measured on the
/// index itself. It holds for the commit that it was measured on; after another one it is stale.
/// </summary>
public sealed record SearchCalibration
{
    public const string FileName = "calibration.json";

    private const int CurrentVersion = 2;

    public required int Version { get; init; }

    public required CalibrationSource Source { get; init; }

    public required int QueryCount { get; init; }

    public required long Generation { get; init; }

    public required long Commit { get; init; }

    /// <summary>Of the segments' files that were searched.</summary>
    public required string[] SegmentChecksums { get; init; }

    /// <summary>By k; of each k the exact search last, before it approximations by descending least recall, each cheaper than those before it.</summary>
    public required CalibratedSearch[] Searches { get; init; }

    public string Checksum { get; init; } = "";

    internal static SearchCalibration Of(SegmentedIndex index, CalibrationSource source, int queryCount, CalibratedSearch[] searches) => new()
    {
        Version = CurrentVersion,
        Source = source,
        QueryCount = queryCount,
        Generation = index.Generation,
        Commit = index.Commit,
        SegmentChecksums = Checksums(index),
        Searches = searches,
    };

    /// <summary>True once the index is not the one that was measured: recall may be another by now.</summary>
    public bool IsStale(SegmentedIndex index) => Generation != index.Generation || Commit != index.Commit || !SegmentChecksums.SequenceEqual(Checksums(index));

    /// <summary>
    /// The cheapest search that can be trusted to find at least <paramref name="quality"/> of the exact hits (by its least recall), for at most <paramref name="k"/>
    /// hits; exact where none is cheaper, for a quality of 1, and for more hits than were calibrated. Allocates nothing.
    /// </summary>
    public CalibratedSearch Choose(double quality, int k)
    {
        if (!(quality > 0 && quality <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(quality), $"a quality of {quality}; it is a recall, above 0 and at most 1");
        }

        CalibratedSearch? best = null;
        foreach (CalibratedSearch search in Searches)
        {
            bool fits = search.K >= k && (best is null || search.K <= best.K);
            bool suffices = search.Approximation is null || (quality < 1 && search.LeastRecall >= quality);
            if (fits && suffices && (best is null || search.K < best.K || search.RelativeCost < best.RelativeCost))
            {
                best = search;
            }
        }

        return best ?? Exact;
    }

    /// <summary>Writes the file aside and renames it.</summary>
    public void Save(string directory) => Save(PhysicalFiles.Instance, directory);

    /// <exception cref="FileNotFoundException">The index was never calibrated.</exception>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static SearchCalibration Load(string directory) => Load(PhysicalFiles.Instance, directory);

    internal void Save(IFileSystem files, string directory)
    {
        string path = Path.Combine(directory, FileName);
        using (Stream stream = files.Create(path + ".tmp"))
        {
            JsonSerializer.Serialize(stream, this with { Checksum = ComputeChecksum() }, CalibrationJsonContext.Default.SearchCalibration);
            stream.Write("\n"u8);
            files.Sync(stream);
        }

        files.Move(path + ".tmp", path);
        files.SyncDirectory(directory);
    }

    internal static SearchCalibration Load(IFileSystem files, string directory)
    {
        string path = Path.Combine(directory, FileName);
        if (!files.Exists(path))
        {
            throw new FileNotFoundException($"{path} is missing: what an approximate search would find is not known; measure it with 'tern index calibrate', or search with quality 1", path);
        }

        SearchCalibration? calibration;
        try
        {
            calibration = JsonSerializer.Deserialize(files.ReadAllBytes(path), CalibrationJsonContext.Default.SearchCalibration);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: section 'calibration' at offset {e.BytePositionInLine ?? 0} of line {(e.LineNumber ?? 0) + 1}: not a valid calibration; run 'tern index calibrate' again", e);
        }

        // Before the checksum, which another version makes of other fields.
        if (calibration is not null && calibration.Version != CurrentVersion)
        {
            throw new InvalidDataException($"{path}: section 'calibration' at offset 0: format version {calibration.Version}, this build reads {CurrentVersion}; run 'tern index calibrate' again");
        }

        if (calibration is null || calibration.Checksum != calibration.ComputeChecksum())
        {
            throw new InvalidDataException($"{path}: section 'calibration' at offset 0: the checksum does not match: the file is damaged or was edited; run 'tern index calibrate' again");
        }

        return calibration;
    }

    private static CalibratedSearch Exact { get; } = new(int.MaxValue, null, 1, 1, 1);

    private static string[] Checksums(SegmentedIndex index) => [.. index.Views.Select(view => view.Segment.Checksum)];

    private string ComputeChecksum() => IndexManifest.Hex(XxHash3.HashToUInt64(JsonSerializer.SerializeToUtf8Bytes(this with { Checksum = "" }, CalibrationJsonContext.Default.SearchCalibration)));
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, UseStringEnumConverter = true)]
[JsonSerializable(typeof(SearchCalibration))]
internal sealed partial class CalibrationJsonContext : JsonSerializerContext;
