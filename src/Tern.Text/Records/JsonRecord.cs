using System.Text.Json;

namespace Tern.Text;

/// <summary>One line of a JSON Lines file; what is missing or of another type is reported with file and line.</summary>
internal readonly struct JsonRecord(LineReader reader, JsonElement element)
{
    /// <summary>The objects of all non-blank lines from the current one on, <paramref name="line"/> being the one already read.</summary>
    public static IEnumerable<JsonRecord> ReadAll(LineReader reader, string? line)
    {
        for (; line != null; line = reader.ReadLine())
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }
            using JsonDocument document = Parse(reader, line);
            yield return new JsonRecord(reader, document.RootElement);
        }
    }

    private static JsonDocument Parse(LineReader reader, string line)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(line);
        }
        catch (JsonException e)
        {
            string column = e.BytePositionInLine is { } p ? $" at byte {p}" : "";
            throw new InvalidDataException($"{reader.Path}:{reader.LineNumber}: not valid JSON{column}", e);
        }
        return document.RootElement.ValueKind == JsonValueKind.Object ? document : throw reader.Malformed("expected a JSON object on each line");
    }

    public bool Has(string name) => element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null;

    public bool HasArray(string name) => element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Array;

    /// <summary>The first of the names that is present.</summary>
    public string String(params ReadOnlySpan<string> names) =>
        OptionalString(names) ?? throw Malformed($"no field \"{string.Join("\" or \"", names!)}\"");

    public string? OptionalString(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (Has(name))
            {
                return Text(element.GetProperty(name), name);
            }
        }
        return null;
    }

    /// <summary>A non-empty id; numbers are taken as they are written.</summary>
    public string Id(params ReadOnlySpan<string> names)
    {
        string id = String(names);
        return id.Length > 0 ? id : throw Malformed($"the id (\"{names[0]}\") is empty");
    }

    public List<string> Ids(string name) => Array(name, Text);

    public List<float> Numbers(string name) => Array(name, Number);

    /// <summary>An array of [id, score] pairs.</summary>
    public List<ScoredCandidate> ScoredIds(string name) => Array(name, ScoredId);

    public float? OptionalNumber(string name) => Has(name) ? Number(element.GetProperty(name), name) : null;

    public List<JsonRecord> Objects(string name)
    {
        LineReader owner = reader;
        return Array(name, (item, field) => item.ValueKind == JsonValueKind.Object
            ? new JsonRecord(owner, item)
            : throw owner.Malformed($"\"{field}\" holds something that is not an object"));
    }

    /// <summary>A text in BEIR's free field "metadata"; empty where it is missing or something else, since the field has no rules.</summary>
    public string MetadataText(string name) =>
        element.TryGetProperty("metadata", out JsonElement metadata) && metadata.ValueKind == JsonValueKind.Object
        && metadata.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : "";

    /// <summary>The texts, numbers and truth values of "metadata" but for some names; null where there are none.</summary>
    public Dictionary<string, string>? MetadataFields(params ReadOnlySpan<string> except)
    {
        if (!element.TryGetProperty("metadata", out JsonElement metadata) || metadata.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        Dictionary<string, string>? fields = null;
        foreach (JsonProperty property in metadata.EnumerateObject())
        {
            string? value = property.Value.ValueKind switch
            {
                JsonValueKind.String => property.Value.GetString(),
                JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => property.Value.GetRawText(),
                _ => null,
            };
            if (value is not null && !except.Contains(property.Name))
            {
                (fields ??= [])[property.Name] = value;
            }
        }

        return fields;
    }

    public InvalidDataException Malformed(string problem) => reader.Malformed(problem);

    private List<T> Array<T>(string name, Func<JsonElement, string, T> convert)
    {
        if (!element.TryGetProperty(name, out JsonElement array) || array.ValueKind != JsonValueKind.Array)
        {
            throw Malformed($"no array \"{name}\"");
        }
        var items = new List<T>(array.GetArrayLength());
        foreach (JsonElement item in array.EnumerateArray())
        {
            items.Add(convert(item, name));
        }
        return items;
    }

    private ScoredCandidate ScoredId(JsonElement pair, string name) => pair.ValueKind == JsonValueKind.Array && pair.GetArrayLength() == 2
        ? new ScoredCandidate(Text(pair[0], name), Number(pair[1], name))
        : throw Malformed($"\"{name}\" must hold [id, score] pairs");

    private string Text(JsonElement value, string name) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Number => value.GetRawText(),
        _ => throw Malformed($"\"{name}\" must be a string or a number"),
    };

    private float Number(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out float number) && float.IsFinite(number)
            ? number
            : throw Malformed($"\"{name}\" must hold numbers");
}
