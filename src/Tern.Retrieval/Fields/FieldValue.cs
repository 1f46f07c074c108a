using System.Globalization;

namespace Tern.Retrieval;

/// <summary>What a document's field holds.</summary>
public enum FieldKind
{
    /// <summary>Text, ordered by its UTF-8 bytes.</summary>
    String,

    /// <summary>A float64.</summary>
    Number,

    /// <summary>A moment, kept in UTC: 2024-05-01, or 2024-05-01T12:30:00 with Z, an offset, or none (UTC).</summary>
    Date,

    Bool,
}

/// <summary>A name and a kind; names are letters, digits, '_', '-' and '.', and begin with a letter or '_'.</summary>
public readonly record struct FieldDefinition(string Name, FieldKind Kind)
{
    /// <summary>Reads <c>name</c> or <c>name:kind</c>; without a kind the field holds strings.</summary>
    public static FieldDefinition Parse(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string name = colon < 0 ? text : text[..colon];
        string kind = colon < 0 ? "string" : text[(colon + 1)..];
        if (name.Length == 0 || !IsNameStart(name[0]) || !name.All(IsNamePart))
        {
            throw new ArgumentException($"'{name}' is not a field's name: letters, digits, '_', '-' and '.', a letter or '_' first");
        }

        return Enum.TryParse(kind, ignoreCase: true, out FieldKind parsed) && !int.TryParse(kind, out _)
            ? new FieldDefinition(name, parsed)
            : throw new ArgumentException($"field '{name}': '{kind}' is none of string, number, date, bool");
    }

    public override string ToString() => $"{Name}:{Kind.ToString().ToLowerInvariant()}";

    internal static bool IsNameStart(char c) => char.IsAsciiLetter(c) || c == '_';

    internal static bool IsNamePart(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.';
}

/// <summary>A value of one of the <see cref="FieldKind"/>s.</summary>
public readonly record struct FieldValue
{
    private FieldValue(FieldKind kind, long bits, string? text = null)
    {
        Kind = kind;
        Bits = bits;
        Text = text;
    }

    public FieldKind Kind { get; }

    /// <summary>The bits of a number, the ticks of a date, 0 or 1.</summary>
    internal long Bits { get; }

    /// <summary>Only of strings.</summary>
    internal string? Text { get; }

    public static FieldValue Of(string text) => new(FieldKind.String, 0, text);

    /// <summary>NaN is refused.</summary>
    public static FieldValue Of(double number) => double.IsNaN(number) ? throw new ArgumentException("a field's number is not a number") : new(FieldKind.Number, BitConverter.DoubleToInt64Bits(number + 0.0));

    public static FieldValue Of(DateTimeOffset date) => new(FieldKind.Date, date.UtcTicks);

    public static FieldValue Of(bool value) => new(FieldKind.Bool, value ? 1 : 0);

    /// <summary>Reads a value of a kind; false for text that is none.</summary>
    public static bool TryParse(FieldKind kind, string text, out FieldValue value)
    {
        value = default;
        switch (kind)
        {
            case FieldKind.String:
                value = Of(text);
                return true;
            case FieldKind.Number when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && !double.IsNaN(number):
                value = Of(number);
                return true;
            case FieldKind.Date when TryParseDate(text, out DateTimeOffset date):
                value = Of(date);
                return true;
            case FieldKind.Bool when bool.TryParse(text, out bool truth):
                value = Of(truth);
                return true;
            default:
                return false;
        }
    }

    public override string ToString() => Kind switch
    {
        FieldKind.String => Text!,
        FieldKind.Number => BitConverter.Int64BitsToDouble(Bits).ToString("R", CultureInfo.InvariantCulture),
        FieldKind.Date => new DateTime(Bits, DateTimeKind.Utc).ToString("O", CultureInfo.InvariantCulture),
        _ => Bits != 0 ? "true" : "false",
    };

    /// <summary>What <see cref="Bits"/> gave; <see cref="ArgumentException"/> for bits that no value of the kind has.</summary>
    internal static FieldValue OfBits(FieldKind kind, long bits) => kind switch
    {
        FieldKind.Number when !double.IsNaN(BitConverter.Int64BitsToDouble(bits)) => new(kind, bits),
        FieldKind.Date when bits >= DateTime.MinValue.Ticks && bits <= DateTime.MaxValue.Ticks => new(kind, bits),
        FieldKind.Bool when bits is 0 or 1 => new(kind, bits),
        _ => throw new ArgumentException($"{bits:x} is no value of kind {kind}"),
    };

    private static bool TryParseDate(string text, out DateTimeOffset date) =>
        DateTimeOffset.TryParseExact(text, ["yyyy-MM-dd", "yyyy-MM-ddTHH:mm", "yyyy-MM-ddTHH:mm:ss", "yyyy-MM-ddTHH:mm:ss.FFFFFFF", "yyyy-MM-ddTHH:mmK", "yyyy-MM-ddTHH:mm:ssK", "yyyy-MM-ddTHH:mm:ss.FFFFFFFK"], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out date);
}
