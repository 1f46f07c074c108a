using System.Text.Json;

namespace Tern.Model;

/// <summary>The keys of one JSON object, read with errors that name the file and the key. A null value counts as absent.</summary>
internal readonly struct ConfigKeys
{
    private readonly string _path;
    private readonly string _prefix;
    private readonly JsonElement _element;

    public ConfigKeys(string path, string prefix, JsonElement element)
    {
        _path = path;
        _prefix = prefix;
        _element = element;
        if (element.ValueKind is not (JsonValueKind.Object or JsonValueKind.Undefined))
        {
            throw new InvalidDataException($"{path}: {(prefix.Length == 0 ? "the file" : prefix.TrimEnd('.'))} is not a JSON object");
        }
    }

    public bool Has(string key) => Find(key) is not null;

    public ConfigKeys? Object(string key) => Find(key) is { } value ? new ConfigKeys(_path, $"{_prefix}{key}.", value) : null;

    public int Int(string key) => Find(key) is { } value ? AsInt(key, value) : throw Missing(key);

    public int Int(string key, int fallback) => Find(key) is { } value ? AsInt(key, value) : fallback;

    public float Float(string key) => Find(key) is { } value ? AsFloat(key, value) : throw Missing(key);

    public float Float(string key, float fallback) => Find(key) is { } value ? AsFloat(key, value) : fallback;

    public bool Bool(string key, bool fallback) => Find(key) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        _ => throw Unsupported(key, "it must be true or false"),
    };

    public string Text(string key, string fallback) => Find(key) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.String } value => AsText(key, value),
        _ => throw Unsupported(key, "it must be a string"),
    };

    /// <summary>A list of strings, of which one may stand alone; empty if absent.</summary>
    public IReadOnlyList<string> Texts(string key) => Find(key) switch
    {
        null => [],
        { ValueKind: JsonValueKind.String } value => [AsText(key, value)],
        { ValueKind: JsonValueKind.Array } values when values.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String) => TextsOf(key, values),
        _ => throw Unsupported(key, "it must be a list of strings"),
    };

    /// <summary>An object whose values are all numbers; empty if absent.</summary>
    public IReadOnlyDictionary<string, float> Numbers(string key)
    {
        var numbers = new Dictionary<string, float>(StringComparer.Ordinal);
        if (Find(key) is { } value)
        {
            if (value.ValueKind != JsonValueKind.Object)
            {
                throw Unsupported(key, "it must be an object of numbers");
            }

            foreach (JsonProperty property in value.EnumerateObject())
            {
                numbers[property.Name] = AsFloat(key, property.Value);
            }
        }

        return numbers;
    }

    /// <summary>One id; of a list (several end tokens) the first.</summary>
    public int? TokenId(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Array } ids => ids.GetArrayLength() == 0 ? null : AsInt(key, ids[0]),
        { } value => AsInt(key, value),
    };

    public void Expect(string key, string expected, string advice)
    {
        if (Text(key, expected) != expected)
        {
            throw Unsupported(key, advice);
        }
    }

    public void ExpectFalse(string key)
    {
        if (Bool(key, false))
        {
            throw Unsupported(key, "projections with a bias are not supported");
        }
    }

    public InvalidDataException Unsupported(string key, string advice) => new($"{_path}: {_prefix}{key} is {Find(key)?.GetRawText() ?? "missing"}: {advice}");

    /// <summary>A string may hold half of a surrogate pair, which no text has.</summary>
    private string AsText(string key, JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Unsupported(key, "it is not a valid text");
        }
    }

    private string[] TextsOf(string key, JsonElement values)
    {
        List<string> texts = [];
        foreach (JsonElement value in values.EnumerateArray())
        {
            texts.Add(AsText(key, value));
        }

        return [.. texts];
    }

    private InvalidDataException Missing(string key) => new($"{_path}: {_prefix}{key} is missing");

    private int AsInt(string key, JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number : throw Unsupported(key, "it must be a whole number below 2^31");

    private float AsFloat(string key, JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out float number) && float.IsFinite(number) ? number : throw Unsupported(key, "it must be a finite number");

    private JsonElement? Find(string key) => _element.ValueKind == JsonValueKind.Object && _element.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
}
