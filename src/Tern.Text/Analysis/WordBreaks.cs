using System.Globalization;
using System.Text;

namespace Tern.Text;

/// <summary>Word_Break property of a code point, as far as words need it (Unicode Annex 29).</summary>
internal enum WordBreak
{
    Other,
    Letter,
    HebrewLetter,
    Numeric,
    Katakana,
    Ideograph,
    SouthEastAsian,
    ExtendNumLet,
    MidLetter,
    MidNum,
    MidNumLet,
    SingleQuote,
    DoubleQuote,
    Extend,
}

/// <summary>
/// Words of a text as Lucene's StandardTokenizer finds them by the rules of Unicode Annex 29: letters, digits and what joins them; an
/// ideograph or Hiragana character is a word, a run of Katakana or of a South-East Asian script is one. Emoji are passed over.
/// </summary>
internal static class WordBreaks
{
    /// <summary>The next word at or after <paramref name="start"/>: moves start to it and returns its length, 0 at the end.</summary>
    public static int Next(ReadOnlySpan<char> text, ref int start)
    {
        while (start < text.Length)
        {
            WordBreak first = At(text, start, out int after);
            if (first == WordBreak.ExtendNumLet)
            {
                int joined = start;
                while (joined < text.Length && At(text, joined, out int next) == WordBreak.ExtendNumLet)
                {
                    joined = next;
                }
                if (joined < text.Length && IsJoinable(At(text, joined, out _)))
                {
                    return Run(text, joined) - start;
                }
                start = joined;
                continue;
            }
            if (IsJoinable(first))
            {
                return Run(text, start) - start;
            }
            if (first is WordBreak.Ideograph)
            {
                return after - start;
            }
            if (first is WordBreak.SouthEastAsian)
            {
                int end = after;
                while (end < text.Length && At(text, end, out int next) == WordBreak.SouthEastAsian)
                {
                    end = next;
                }
                return end - start;
            }
            start = after;
        }
        return 0;
    }

    private static bool IsJoinable(WordBreak kind) => kind is WordBreak.Letter or WordBreak.HebrewLetter or WordBreak.Numeric or WordBreak.Katakana;

    private static bool IsLetter(WordBreak kind) => kind is WordBreak.Letter or WordBreak.HebrewLetter;

    // From a letter, digit or Katakana to the end of its word.
    private static int Run(ReadOnlySpan<char> text, int start)
    {
        WordBreak last = At(text, start, out int end);
        while (end < text.Length)
        {
            WordBreak next = At(text, end, out int after);
            bool joins = next == WordBreak.ExtendNumLet || last switch
            {
                WordBreak.ExtendNumLet => IsJoinable(next),
                WordBreak.Katakana => next == WordBreak.Katakana,
                _ => IsLetter(next) || next == WordBreak.Numeric,
            };
            if (joins)
            {
                (last, end) = (next, after);
                continue;
            }
            WordBreak beyond = after < text.Length ? At(text, after, out int farther) : Nothing(out farther);
            bool bridges = next switch
            {
                WordBreak.MidLetter => IsLetter(last) && IsLetter(beyond),
                WordBreak.MidNum => last == WordBreak.Numeric && beyond == WordBreak.Numeric,
                WordBreak.MidNumLet or WordBreak.SingleQuote =>
                    (IsLetter(last) && IsLetter(beyond)) || (last == WordBreak.Numeric && beyond == WordBreak.Numeric),
                WordBreak.DoubleQuote => last == WordBreak.HebrewLetter && beyond == WordBreak.HebrewLetter,
                _ => false,
            };
            if (bridges)
            {
                (last, end) = (beyond, farther);
                continue;
            }
            return last == WordBreak.HebrewLetter && next == WordBreak.SingleQuote ? after : end;
        }
        return end;
    }

    private static WordBreak Nothing(out int after)
    {
        after = 0;
        return WordBreak.Other;
    }

    // The class of the character at a position; marks and format characters behind it belong to it.
    private static WordBreak At(ReadOnlySpan<char> text, int index, out int after)
    {
        Rune.DecodeFromUtf16(text[index..], out Rune rune, out int length);
        after = index + length;
        while (after < text.Length && text[after] >= '\u00AD')
        {
            Rune.DecodeFromUtf16(text[after..], out Rune mark, out length);
            if (Classify(mark) != WordBreak.Extend)
            {
                break;
            }
            after += length;
        }
        return Classify(rune);
    }

    private static WordBreak Classify(Rune rune) => rune.Value switch
    {
        >= 'a' and <= 'z' or >= 'A' and <= 'Z' => WordBreak.Letter,
        >= '0' and <= '9' => WordBreak.Numeric,
        '_' => WordBreak.ExtendNumLet,
        '\'' => WordBreak.SingleQuote,
        '"' => WordBreak.DoubleQuote,
        '.' or 0x2018 or 0x2019 or 0x2024 or 0xFE52 or 0xFF07 or 0xFF0E => WordBreak.MidNumLet,
        ':' or 0x00B7 or 0x0387 or 0x05F4 or 0x2027 or 0xFE13 or 0xFE55 or 0xFF1A => WordBreak.MidLetter,
        ',' or ';' or 0x037E or 0x0589 or 0x060C or 0x060D or 0x066C or 0x07F8 or 0x2044 or 0xFE10 or 0xFE14 or 0xFE50 or 0xFE54 or 0xFF0C or 0xFF1B
            => WordBreak.MidNum,
        < 0x80 => WordBreak.Other,
        0x066B => WordBreak.Numeric,
        0x202F => WordBreak.ExtendNumLet,
        0x200B => WordBreak.Other,
        >= 0x05D0 and <= 0x05F2 or >= 0xFB1D and <= 0xFB4F and not 0xFB1E and not 0xFB29 => WordBreak.HebrewLetter,
        >= 0x3041 and <= 0x3096 or 0x309D or 0x309E or 0x309F => WordBreak.Ideograph,
        >= 0x3031 and <= 0x3035 or 0x309B or 0x309C or >= 0x30A0 and <= 0x30FF and not 0x30FB or >= 0x31F0 and <= 0x31FF or >= 0xFF66 and <= 0xFF9D => WordBreak.Katakana,
        0x3005 or 0x3007 or >= 0x3021 and <= 0x3029 or >= 0x3038 and <= 0x303B or >= 0x3400 and <= 0x4DBF or >= 0x4E00 and <= 0x9FFF
            or >= 0xF900 and <= 0xFAFF or >= 0x20000 and <= 0x3FFFD => WordBreak.Ideograph,
        >= 0x0E01 and <= 0x0E30 or >= 0x0E32 and <= 0x0E33 or >= 0x0E40 and <= 0x0E46 or >= 0x0E81 and <= 0x0EB0 or >= 0x0EB2 and <= 0x0EB3
            or >= 0x0EC0 and <= 0x0EC6 or >= 0x1000 and <= 0x102A or >= 0x1780 and <= 0x17B3 => WordBreak.SouthEastAsian,
        _ => ByCategory(rune),
    };

    private static WordBreak ByCategory(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter or UnicodeCategory.LetterNumber => WordBreak.Letter,
        UnicodeCategory.DecimalDigitNumber => WordBreak.Numeric,
        UnicodeCategory.ConnectorPunctuation => WordBreak.ExtendNumLet,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format => WordBreak.Extend,
        _ => WordBreak.Other,
    };
}
