using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tern;

/// <summary>
/// <c>{"indices": [3, 17], "values": [0.5, 1.25], "vocabularySize": 8000, "modelId": "…", "createdAt": "…"}</c>; the last two only
/// where they are set. Reading skips keys that it does not know and checks the vector.
/// </summary>
public sealed class SparseEmbeddingConverter : JsonConverter<SparseEmbedding>
{
    public override SparseEmbedding Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("a sparse embedding is a JSON object");
        }

        int[]? indices = null;
        float[]? values = null;
        int? vocabularySize = null;
        string? modelId = null;
        DateTimeOffset? createdAt = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string? key = reader.GetString();
            reader.Read();
            switch (key)
            {
                case "indices":
                    indices = ReadNumbers(ref reader, key, static (ref Utf8JsonReader r) => r.GetInt32());
                    break;
                case "values":
                    values = ReadNumbers(ref reader, key, static (ref Utf8JsonReader r) => r.GetSingle());
                    break;
                case "vocabularySize":
                    vocabularySize = reader.GetInt32();
                    break;
                case "modelId":
                    modelId = reader.GetString();
                    break;
                case "createdAt":
                    createdAt = reader.TokenType == JsonTokenType.Null ? null : reader.GetDateTimeOffset();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        try
        {
            return new SparseEmbedding(indices ?? throw Missing("indices"), values ?? throw Missing("values"), vocabularySize ?? throw Missing("vocabularySize"))
            {
                ModelId = modelId,
                CreatedAt = createdAt,
            };
        }
        catch (ArgumentException e)
        {
            throw new JsonException(e.Message, e);
        }
    }

    public override void Write(Utf8JsonWriter writer, SparseEmbedding value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        WriteProperties(writer, value);
        writer.WriteEndObject();
    }

    internal static void WriteTagged(Utf8JsonWriter writer, string discriminator, string tag, SparseEmbedding value)
    {
        writer.WriteStartObject();
        writer.WriteString(discriminator, tag);
        WriteProperties(writer, value);
        writer.WriteEndObject();
    }

    private static void WriteProperties(Utf8JsonWriter writer, SparseEmbedding value)
    {
        writer.WriteStartArray("indices");
        foreach (int index in value.Indices.Span)
        {
            writer.WriteNumberValue(index);
        }

        writer.WriteEndArray();
        writer.WriteStartArray("values");
        foreach (float weight in value.Values.Span)
        {
            writer.WriteNumberValue(weight);
        }

        writer.WriteEndArray();
        writer.WriteNumber("vocabularySize", value.VocabularySize);
        if (value.ModelId != null)
        {
            writer.WriteString("modelId", value.ModelId);
        }

        if (value.CreatedAt is { } created)
        {
            writer.WriteString("createdAt", created.ToString("O", CultureInfo.InvariantCulture));
        }
    }

    private static T[] ReadNumbers<T>(ref Utf8JsonReader reader, string key, NumberReader<T> read)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException($"'{key}' is not an array");
        }

        var numbers = new List<T>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            numbers.Add(reader.TokenType == JsonTokenType.Number ? read(ref reader) : throw new JsonException($"'{key}' holds something that is no number"));
        }

        return [.. numbers];
    }

    private static JsonException Missing(string key) => new($"a sparse embedding needs '{key}'");

    private delegate T NumberReader<T>(ref Utf8JsonReader reader);
}
