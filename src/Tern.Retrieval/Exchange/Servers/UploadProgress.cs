using System.Text.Json;

namespace Tern.Retrieval.Exchange;

/// <summary>
/// How far an upload came: the documents from the start that the server has answered for. Saved after every batch, so
/// that an interrupted upload goes on where it stopped; sending a batch twice does no harm, since documents are replaced
/// by id.
/// </summary>
public sealed record UploadProgress(string Target, long DocumentCount, string LastId)
{
    /// <summary>Null when there is no such file. A damaged one is an <see cref="InvalidDataException"/>.</summary>
    public static UploadProgress? Load(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), ExchangeJsonContext.Default.UploadProgress) ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: no record of an upload ({e.Message}); delete it to start again", e);
        }
    }

    /// <summary>Moves past the documents that are done and returns how many; another target or other documents are an <see cref="InvalidDataException"/>.</summary>
    public static long Skip(IEnumerator<VectorDocument> source, string target, string path)
    {
        UploadProgress progress = Load(path) ?? throw new FileNotFoundException($"{path}: no upload to go on with", path);
        if (progress.Target != target)
        {
            throw new InvalidDataException($"{path}: the upload went to {progress.Target}, not to {target}");
        }

        string last = "";
        for (long i = 0; i < progress.DocumentCount; i++)
        {
            last = source.MoveNext() ? source.Current.Id : "";
        }

        return last == progress.LastId ? progress.DocumentCount : throw new InvalidDataException($"{path}: document {progress.DocumentCount} was '{progress.LastId}', now it is '{last}': the input is not the same; delete the file to start again");
    }

    public void Save(string path)
    {
        File.WriteAllBytes(path + ".tmp", JsonSerializer.SerializeToUtf8Bytes(this, ExchangeJsonContext.Default.UploadProgress));
        File.Move(path + ".tmp", path, overwrite: true);
    }
}
