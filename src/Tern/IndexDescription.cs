using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tern;

/// <summary>What an index directory holds.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<IndexKind>))]
public enum IndexKind
{
    [JsonStringEnumMemberName("sparse")]
    Sparse,

    [JsonStringEnumMemberName("dense")]
    Dense,

    [JsonStringEnumMemberName("bm25")]
    Bm25,
}

/// <summary>
/// <c>index.json</c> of an index directory: its kind, and for a learned one the model that encodes its queries.
/// The number of documents is that of the build; later changes do not reach it.
/// <paramref name="Model"/> is relative to the index directory where both are on one volume; empty for BM25.
/// </summary>
public sealed record IndexDescription(IndexKind Kind, int DocumentCount, string Model, string Fingerprint)
{
    public const string FileName = "index.json";

    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static IndexDescription Load(string directory)
    {
        if (!Directory.Exists(directory))
        {
            throw new DirectoryNotFoundException($"{directory}: no such index directory");
        }

        string path = Path.Combine(directory, FileName);
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: not found; a finished index has one: build it with 'tern index'", path);
        }

        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), StoredJsonContext.Default.IndexDescription) ?? throw new JsonException("the file is null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}:{e.LineNumber + 1}: {e.Message} Build the index again.", e);
        }
    }

    /// <summary>The model's directory as seen from <paramref name="indexDirectory"/>.</summary>
    public string ModelDirectory(string indexDirectory) => Path.GetFullPath(Path.Combine(Path.GetFullPath(indexDirectory), Model));

    internal void Save(string directory)
    {
        using var stream = new FileStream(Path.Combine(directory, FileName), FileMode.Create, FileAccess.Write);
        stream.Write(JsonSerializer.SerializeToUtf8Bytes(this, StoredJsonContext.Default.IndexDescription));
        stream.Flush(flushToDisk: true);
    }
}
