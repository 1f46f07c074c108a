using System.Globalization;
using System.Text;

namespace Tern.Text;

/// <summary>
/// .NET matches UTF-16 units, so a letter outside the BMP is not <c>\p{L}</c> to it as it is to the library that writes
/// tokenizer.json. Matching runs on a text in which each such code point is stood for by one character of its category.
/// </summary>
internal readonly ref struct RegexText
{
    private readonly int[]? _positions;

    public RegexText(ReadOnlySpan<char> text)
    {
        if (text.IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
        {
            Matched = text;
            return;
        }
        char[] matched = new char[text.Length];
        _positions = new int[text.Length + 1];
        int count = 0;
        for (int i = 0; i < text.Length; count++)
        {
            Rune.DecodeFromUtf16(text[i..], out Rune rune, out int length);
            matched[count] = rune.IsBmp ? (char)rune.Value : StandIn(Rune.GetUnicodeCategory(rune));
            _positions[count] = i;
            i += length;
        }
        _positions[count] = text.Length;
        Matched = matched.AsSpan(0, count);
    }

    /// <summary>The text to match.</summary>
    public ReadOnlySpan<char> Matched { get; }

    /// <summary>Where an index into <see cref="Matched"/> lies in the text itself.</summary>
    public int Position(int index) => _positions == null ? index : _positions[index];

    private static char StandIn(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter => '\u0100',
        UnicodeCategory.LowercaseLetter => '\u0101',
        UnicodeCategory.TitlecaseLetter => '\u01C5',
        UnicodeCategory.ModifierLetter => '\u02C6',
        UnicodeCategory.OtherLetter => '\u01BB',
        UnicodeCategory.NonSpacingMark => '\u0300',
        UnicodeCategory.SpacingCombiningMark => '\u0903',
        UnicodeCategory.EnclosingMark => '\u0488',
        UnicodeCategory.DecimalDigitNumber => '\u0660',
        UnicodeCategory.LetterNumber => '\u2160',
        UnicodeCategory.OtherNumber => '\u00BD',
        UnicodeCategory.Format => '\u00AD',
        UnicodeCategory.PrivateUse => '\uE000',
        UnicodeCategory.OtherNotAssigned => '\uFFFF',
        UnicodeCategory.CurrencySymbol => '\u20AC',
        UnicodeCategory.MathSymbol => '\u2200',
        UnicodeCategory.ModifierSymbol => '\u02C2',
        UnicodeCategory.OtherSymbol => '\u2600',
        _ => '\u00A7',
    };
}
