using System.Text.Json;
using System.Text.Unicode;

namespace Tern.Model.Checkpoints;

/// <summary>A JSON file as a document, with errors that name the file and the line.</summary>
internal static class JsonFile
{
    /// <exception cref="InvalidDataException">It is not JSON, or not UTF-8, which a later look at a string would trip over.</exception>
    public static JsonDocument Parse(string path, JsonDocumentOptions options = default)
    {
        byte[] bytes = File.ReadAllBytes(path);
        if (!Utf8.IsValid(bytes))
        {
            throw new InvalidDataException($"{path}: not UTF-8; copy or download it again");
        }

        try
        {
            return JsonDocument.Parse(bytes, options);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}:{e.LineNumber + 1}: not JSON: {e.Message}", e);
        }
    }
}
