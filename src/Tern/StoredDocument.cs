using System.Text.Json;
using System.Text.Json.Serialization;
using Tern.Text;

namespace Tern;

/// <summary>
/// What an index keeps of a document besides its vector: a name and a summary to show, which need not be indexed, and the
/// text as it was encoded, which explanations point into.
/// </summary>
public sealed record StoredDocument(string Name, string Summary, string Text)
{
    /// <summary>The corpus's own name and summary; without a name the title, without that the id.</summary>
    public static StoredDocument Of(Document document, string composedText) =>
        new(document.Name.Length > 0 ? document.Name : document.Title.Length > 0 ? document.Title : document.Id, document.Summary, composedText);

    internal string ToJson() => JsonSerializer.Serialize(this, StoredJsonContext.Default.StoredDocument);

    internal static StoredDocument FromJson(ReadOnlySpan<byte> json, string place)
    {
        try
        {
            return JsonSerializer.Deserialize(json, StoredJsonContext.Default.StoredDocument) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{place}: not a stored document: {e.Message}", e);
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(StoredDocument))]
[JsonSerializable(typeof(IndexDescription))]
internal sealed partial class StoredJsonContext : JsonSerializerContext;
