using System.Buffers;
using System.Globalization;
using System.Text;

namespace Tern.Text;

/// <summary>
/// .NET matches UTF-16 units, so a letter outside the BMP is not <c>\p{L}</c> to it as it is to the library that writes
/// tokenizer.json. Matching runs on a text in which each such code point is stood for by one character of its category.
/// Dispose it: the memory of that text is rented.
/// </summary>
internal readonly ref struct RegexText
{
    private readonly char[]? _characters;
    private readonly int[]? _positions;

    public RegexText(ReadOnlySpan<char> text)
    {
        if (!HasSurrogates(text))
        {
            Matched = text;
            return;
        }
        _characters = ArrayPool<char>.Shared.Rent(text.Length);
        _positions = ArrayPool<int>.Shared.Rent(text.Length + 1);
        int count = 0;
        for (int i = 0; i < text.Length; count++)
        {
            Rune.DecodeFromUtf16(text[i..], out Rune rune, out int length);
            _characters[count] = rune.IsBmp ? (char)rune.Value : StandIn(Rune.GetUnicodeCategory(rune));
            _positions[count] = i;
            i += length;
        }
        _positions[count] = text.Length;
        Matched = _characters.AsSpan(0, count);
    }

    /// <summary>The text to match.</summary>
    public ReadOnlySpan<char> Matched { get; }

    /// <summary>Where an index into <see cref="Matched"/> lies in the text itself.</summary>
    public int Position(int index) => _positions == null ? index : _positions[index];

    public void Dispose()
    {
        if (_characters != null)
        {
            ArrayPool<char>.Shared.Return(_characters);
            ArrayPool<int>.Shared.Return(_positions!);
        }
    }

    // A plain loop: IndexOfAnyInRange allocates until the runtime has compiled it for good.
    private static bool HasSurrogates(ReadOnlySpan<char> text)
    {
        foreach (char c in text)
        {
            if (char.IsSurrogate(c))
            {
                return true;
            }
        }
        return false;
    }

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
