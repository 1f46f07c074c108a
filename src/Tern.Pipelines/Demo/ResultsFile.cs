using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Tern.Pipelines.Demo;

/// <summary>JSON as the demo writes it: snake_case names, indented, readable characters unescaped.</summary>
public static class ResultsFile
{
    internal static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        TypeInfoResolver = DemoJsonContext.Default,
    };

    public static string Write<T>(T value) => JsonSerializer.Serialize(value, TypeOf<T>());

    /// <exception cref="InvalidDataException">The file is not what <see cref="Save"/> writes; the message names it.</exception>
    public static T Load<T>(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllText(path), TypeOf<T>()) ?? throw new InvalidDataException($"{path}: holds no object");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path}:{error.LineNumber + 1}: {error.Message}", error);
        }
    }

    /// <summary>Written aside and renamed, so that a reader never sees half a file.</summary>
    public static void Save<T>(string path, T value) => SaveText(path, Write(value) + "\n");

    internal static JsonTypeInfo<T> TypeOf<T>() => (JsonTypeInfo<T>)Options.GetTypeInfo(typeof(T));

    public static void SaveText(string path, string text)
    {
        string aside = path + ".tmp";
        File.WriteAllText(aside, text);
        File.Move(aside, path, overwrite: true);
    }
}
