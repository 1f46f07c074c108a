using System.Text.Encodings.Web;
using System.Text.Json;

namespace Tern.Retrieval.Exchange;

/// <summary>
/// JSON Lines of sparse vectors, <c>{"id": …, "vector": {"term": weight, …}}</c>: what <c>tern encode</c>, Anserini and
/// Seismic share. Other fields are passed over; gzip is understood.
/// </summary>
public static class SparseJson
{
    internal static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// Reads one vector a line. Names that <paramref name="names"/> does not know are an error, as are repeated and
    /// negative weights; zeros are dropped. Errors are <see cref="InvalidDataException"/> with path and line.
    /// </summary>
    public static IEnumerable<SparseDocument> Read(string path, TermNames names)
    {
        foreach ((int number, string line) in ExchangeInput.Lines(path))
        {
            yield return Parse(path, number, line, names);
        }
    }

    /// <summary>As <c>tern encode</c> writes: the id as a string, float32 weights in shortest form.</summary>
    public static void Write(Stream stream, IEnumerable<SparseDocument> documents, TermNames names)
    {
        foreach (SparseDocument document in documents)
        {
            WriteLine(stream, json =>
            {
                json.WriteString("id", document.Id);
                WriteWeights(json, "vector", document.Vector, names);
            });
        }
    }

    internal static void WriteWeights(Utf8JsonWriter json, string name, SparseVector vector, TermNames names)
    {
        json.WriteStartObject(name);
        for (int i = 0; i < vector.Count; i++)
        {
            json.WriteNumber(names.Name(vector.TermSpan[i]), vector.WeightSpan[i]);
        }

        json.WriteEndObject();
    }

    /// <summary>One object and a line feed.</summary>
    internal static void WriteLine(Stream stream, Action<Utf8JsonWriter> writeFields)
    {
        using (var json = new Utf8JsonWriter(stream, Readable))
        {
            json.WriteStartObject();
            writeFields(json);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }

    private static SparseDocument Parse(string path, int number, string line, TermNames names)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("id", out JsonElement id) || id.ValueKind is not (JsonValueKind.String or JsonValueKind.Number))
            {
                throw new InvalidDataException("no \"id\" that is a string or a number");
            }

            if (!root.TryGetProperty("vector", out JsonElement vector) || vector.ValueKind != JsonValueKind.Object)
            {
                throw new InvalidDataException("no \"vector\" that is an object of weights");
            }

            return new SparseDocument(id.ToString(), Vector(vector, names));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}:{number}: not JSON: {e.Message}", e);
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException)
        {
            throw new InvalidDataException($"{path}:{number}: {e.Message.Split(" (Parameter", 2)[0]}", e);
        }
    }

    private static SparseVector Vector(JsonElement weights, TermNames names)
    {
        var terms = new List<int>();
        var values = new List<float>();
        foreach (JsonProperty property in weights.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Number)
            {
                throw new InvalidDataException($"the weight of '{property.Name}' is not a number");
            }

            float weight = property.Value.GetSingle();
            if (weight == 0f)
            {
                continue;
            }

            int term = names.Find(property.Name);
            if (term < 0)
            {
                throw new InvalidDataException(names.Count == 0
                    ? $"the term '{property.Name}' is not a number; name the terms' texts with a list or a model"
                    : $"the term '{property.Name}' is not among the {names.Count} known ones");
            }

            terms.Add(term);
            values.Add(weight);
        }

        int[] ids = [.. terms];
        float[] sorted = [.. values];
        Array.Sort(ids, sorted);
        return new SparseVector(ids, sorted);
    }
}
