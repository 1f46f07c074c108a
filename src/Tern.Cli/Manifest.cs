using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Tern.Compute;

namespace Tern.Cli;

/// <summary>A file as it was when it was used.</summary>
internal sealed record FileStamp(string Path, long Bytes, string Sha256)
{
    public static FileStamp Of(string path)
    {
        using FileStream stream = File.OpenRead(path);
        return new FileStamp(System.IO.Path.GetFullPath(path), stream.Length, Convert.ToHexStringLower(SHA256.HashData(stream)));
    }

    /// <summary>What a model directory's vectors depend on.</summary>
    public static IEnumerable<FileStamp> OfModel(string? directory) => directory is null
        ? []
        : Directory.EnumerateFiles(directory).Where(f => System.IO.Path.GetExtension(f) is ".safetensors" or ".bin" || System.IO.Path.GetFileName(f) is "config.json" or "retriever.json" or "tokenizer.json" or "adapter_config.json").Order(StringComparer.Ordinal).Select(Of);

    /// <summary>The files of a path: itself, or a BEIR directory's.</summary>
    public static IEnumerable<FileStamp> OfAll(IEnumerable<string?> paths) => paths.OfType<string>().SelectMany(path =>
        File.Exists(path) ? [Of(path)]
        : Directory.Exists(path) ? CollectionFile.Find(path, null).Select(f => Of(f.Path))
        : Enumerable.Empty<FileStamp>());
}

/// <summary>What computed a run, for the record.</summary>
internal sealed record MachineStamp(string System, string Runtime, int Processors, string SimdPath, string Backend, string Precision)
{
    public static MachineStamp Here(IBackend backend) => new(
        RuntimeInformation.OSDescription,
        RuntimeInformation.FrameworkDescription,
        Environment.ProcessorCount,
        SimdPaths.Current.Name,
        backend.Name,
        backend.Precision.ToName());
}

/// <summary>
/// What a made file of data was made from, as <c>FILE.manifest.json</c>: the command, the inputs with their hashes, what scored, and counts.
/// </summary>
internal sealed record DataManifest(string Command, string Version, IReadOnlyList<FileStamp> Inputs, IReadOnlyList<string> Models, IReadOnlyDictionary<string, long> Counts, FileStamp Output)
{
    public void Save() => OutputFile.WriteBytes(Output.Path + ".manifest.json", stream => JsonSerializer.Serialize(stream, this, DataManifestJsonContext.Default.DataManifest));
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(DataManifest))]
internal sealed partial class DataManifestJsonContext : JsonSerializerContext;
