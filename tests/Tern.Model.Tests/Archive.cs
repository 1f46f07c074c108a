using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;
using Tern.TestKit;

namespace Tern.Model.Tests;

/// <summary>The shared checkpoints: a tar.gz with one folder, in it a checkpoint and <c>expected.json</c>.</summary>
internal static class Archive
{
    public static JsonElement Extract(string name, string directory)
    {
        using FileStream file = File.OpenRead(Path.Combine(Repository.SharedArchives!, name));
        using var unzipped = new GZipStream(file, CompressionMode.Decompress);
        TarFile.ExtractToDirectory(unzipped, directory, overwriteFiles: false);
        return JsonDocument.Parse(File.ReadAllBytes(Path.Combine(directory, Path.GetFileNameWithoutExtension(name), "expected.json"))).RootElement;
    }

    public static int[] Ints(JsonElement parent, string name) => [.. parent.GetProperty(name).EnumerateArray().Select(v => v.GetInt32())];

    public static float[] Floats(JsonElement array) => [.. array.EnumerateArray().Select(v => v.GetSingle())];
}
