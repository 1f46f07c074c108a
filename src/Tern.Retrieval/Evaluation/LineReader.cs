using System.Globalization;
using System.IO.Compression;

namespace Tern.Retrieval;

/// <summary>The non-empty lines of a text file (or .gz) with their numbers, and errors that say file:line.</summary>
internal static class LineReader
{
    public static IEnumerable<(int Number, string Text)> Read(string path)
    {
        using Stream file = File.OpenRead(path);
        using Stream stream = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using var reader = new StreamReader(stream);
        int number = 0;
        while (reader.ReadLine() is { } line)
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
            {
                yield return (number, line);
            }
        }
    }

    /// <summary>The fields between any white space.</summary>
    public static string[] Fields(string line) => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    public static InvalidDataException Invalid(string path, int line, string problem) => new($"{path}:{line}: {problem}");

    public static float Score(string path, int line, string text) =>
        float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float score) && float.IsFinite(score)
            ? score
            : throw Invalid(path, line, $"the score '{text}' is not a finite number");

    public static int Integer(string path, int line, string text, string what) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value)
            ? value
            : throw Invalid(path, line, $"the {what} '{text}' is not a whole number");

    /// <summary>True when the first character that is not white space opens a JSON object.</summary>
    public static bool IsJson(string path)
    {
        using Stream file = File.OpenRead(path);
        using Stream stream = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using var reader = new StreamReader(stream);
        for (int character = reader.Read(); character >= 0; character = reader.Read())
        {
            if (!char.IsWhiteSpace((char)character))
            {
                return character == '{';
            }
        }

        return false;
    }

    /// <summary>Reads <c>{topic: {document: number}}</c>.</summary>
    public static void ReadNestedJson(string path, Action<string, string, System.Text.Json.JsonElement> visit)
    {
        using Stream file = File.OpenRead(path);
        using Stream stream = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionMode.Decompress) : file;
        try
        {
            using var json = System.Text.Json.JsonDocument.Parse(stream);
            foreach (System.Text.Json.JsonProperty topic in json.RootElement.EnumerateObject())
            {
                if (topic.Value.ValueKind != System.Text.Json.JsonValueKind.Object)
                {
                    throw Invalid(path, 1, $"topic '{topic.Name}' must hold an object of document ids and numbers");
                }

                foreach (System.Text.Json.JsonProperty document in topic.Value.EnumerateObject())
                {
                    if (document.Value.ValueKind != System.Text.Json.JsonValueKind.Number)
                    {
                        throw Invalid(path, 1, $"topic '{topic.Name}', document '{document.Name}': the value is not a number");
                    }

                    visit(topic.Name, document.Name, document.Value);
                }
            }
        }
        catch (System.Text.Json.JsonException e)
        {
            throw Invalid(path, (int)(e.LineNumber ?? 0) + 1, "not valid JSON");
        }
    }
}
