using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Tern.Retrieval;

/// <summary>Reads and writes <c>{topic: {document: number}}</c>, the JSON of runs and judgements.</summary>
internal static class NestedJson
{
    /// <summary>Gets one number: topic, document, the number as it stands in the file, and its line.</summary>
    public delegate void Visitor(string topic, string document, string number, int line);

    /// <summary>A topic or a document that stands twice, or anything but numbers, is an error with file:line.</summary>
    public static void Read(EvaluationInput input, Action<string> visitTopic, Visitor visit)
    {
        byte[] bytes = input.Bytes();
        var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip });
        var topics = new HashSet<string>(StringComparer.Ordinal);
        var documents = new HashSet<string>(StringComparer.Ordinal);
        int counted = 0, line = 1;
        int Line(ref Utf8JsonReader at)
        {
            int start = (int)at.TokenStartIndex;
            line += bytes.AsSpan(counted, start - counted).Count((byte)'\n');
            counted = start;
            return line;
        }

        try
        {
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string topic = reader.GetString()!;
                if (!topics.Add(topic))
                {
                    throw input.Invalid(Line(ref reader), $"topic '{topic}' stands twice");
                }

                visitTopic(topic);
                reader.Read();
                if (reader.TokenType != JsonTokenType.StartObject)
                {
                    throw input.Invalid(Line(ref reader), $"topic '{topic}' must hold an object of document ids and numbers");
                }

                documents.Clear();
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    string document = reader.GetString()!;
                    if (!documents.Add(document))
                    {
                        throw input.Invalid(Line(ref reader), $"topic '{topic}' lists document '{document}' twice");
                    }

                    reader.Read();
                    if (reader.TokenType != JsonTokenType.Number)
                    {
                        throw input.Invalid(Line(ref reader), $"topic '{topic}', document '{document}': the value is not a number");
                    }

                    visit(topic, document, Encoding.UTF8.GetString(reader.ValueSpan), Line(ref reader));
                }
            }

            if (reader.Read())
            {
                throw input.Invalid(Line(ref reader), "text stands after the end of the JSON object");
            }
        }
        catch (JsonException e)
        {
            throw input.Invalid((int)(e.LineNumber ?? 0) + 1, "not valid JSON");
        }
    }

    /// <summary>One topic after the other; <paramref name="documents"/> gives a topic's ids and numbers.</summary>
    public static void Write(Stream stream, IEnumerable<string> topics, Func<string, IEnumerable<(string Document, string Number)>> documents)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        foreach (string topic in topics)
        {
            json.WriteStartObject(topic);
            foreach ((string document, string number) in documents(topic))
            {
                json.WritePropertyName(document);
                json.WriteRawValue(number);
            }

            json.WriteEndObject();
            json.Flush();
        }

        json.WriteEndObject();
    }
}
