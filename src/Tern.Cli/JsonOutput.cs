using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Tern.Cli;

/// <summary>JSON on standard output, one object a line, so that it can be piped.</summary>
internal static class JsonOutput
{
    // Texts stay readable: nothing is escaped that JSON does not ask for.
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Write(TextWriter output, Action<Utf8JsonWriter> writeFields)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Readable))
        {
            json.WriteStartObject();
            writeFields(json);
            json.WriteEndObject();
        }

        output.WriteLine(Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
    }

    public static void WriteArray<T>(this Utf8JsonWriter json, string name, IEnumerable<T> items, Action<T> writeItem)
    {
        json.WriteStartArray(name);
        foreach (T item in items)
        {
            writeItem(item);
        }

        json.WriteEndArray();
    }
}
