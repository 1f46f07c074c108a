using System.Globalization;
using System.Text.Json;

namespace Tern.TestKit.Fakes;

/// <summary>Reads JSON as an API that refuses unknown, missing and repeated properties.</summary>
internal static class StrictJson
{
    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false };

    public static JsonElement Parse(string text)
    {
        try
        {
            return JsonDocument.Parse(text, Options).RootElement;
        }
        catch (JsonException e)
        {
            throw new MalformedRequestException($"not JSON: {e.Message}");
        }
    }

    /// <summary>The properties of an object that has exactly these.</summary>
    public static JsonElement[] Object(this JsonElement element, params string[] names)
    {
        Require(element.ValueKind == JsonValueKind.Object, $"an object is needed, not {element.ValueKind}");
        string[] found = [.. element.EnumerateObject().Select(p => p.Name)];
        Require(found.Order(StringComparer.Ordinal).SequenceEqual(names.Order(StringComparer.Ordinal)), $"properties {string.Join(",", found)} where {string.Join(",", names)} belong");
        return System.Array.ConvertAll(names, element.GetProperty);
    }

    public static string Text(this JsonElement element)
    {
        Require(element.ValueKind == JsonValueKind.String, "a string is needed");
        return element.GetString()!;
    }

    public static JsonElement[] Array(this JsonElement element)
    {
        Require(element.ValueKind == JsonValueKind.Array, "an array is needed");
        return [.. element.EnumerateArray()];
    }

    public static float Float(this JsonElement element)
    {
        Require(element.ValueKind == JsonValueKind.Number && element.TryGetSingle(out float value) && float.IsFinite(value), "a finite number is needed");
        return element.GetSingle();
    }

    public static void IsText(this JsonElement element, string expected) => Require(element.Text() == expected, $"'{element}' where '{expected}' belongs");

    /// <summary><c>{"12": 0.5}</c>: whole-number keys, positive weights.</summary>
    public static string Weights(this JsonElement element)
    {
        Require(element.ValueKind == JsonValueKind.Object, "an object of weights is needed");
        return Vector(element.EnumerateObject().Select(p => (Key(p.Name), p.Value.Float())));
    }

    public static string Vector(IEnumerable<(int Index, float Value)> cells)
    {
        var sorted = new SortedDictionary<int, float>();
        foreach ((int index, float value) in cells)
        {
            Require(value > 0, $"weight {value} of {index}");
            Require(sorted.TryAdd(index, value), $"index {index} twice");
        }

        return string.Join(' ', sorted.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Key}:{p.Value:R}")));
    }

    /// <summary>A dense vector of this many elements.</summary>
    public static string Floats(this JsonElement element, int dimension)
    {
        JsonElement[] values = element.Array();
        Require(values.Length == dimension, $"{values.Length} elements where {dimension} belong");
        return string.Join(' ', values.Select(v => v.Float().ToString("R", CultureInfo.InvariantCulture)));
    }

    public static void Require(bool holds, string reason)
    {
        if (!holds)
        {
            throw new MalformedRequestException(reason);
        }
    }

    private static int Key(string name)
    {
        Require(int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int key) && key.ToString(CultureInfo.InvariantCulture) == name, $"key '{name}'");
        return int.Parse(name, CultureInfo.InvariantCulture);
    }
}
