using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Tern.Text;

/// <summary>One step of a tokenizer.json's normalizer.</summary>
internal interface INormalizer
{
    /// <summary>Writes the normalized text; false where that is the text itself, and nothing is written.</summary>
    bool Apply(AlignedText source, AlignedText destination);
}

internal static class Normalizers
{
    /// <summary>Applies the steps in turn. What they make is in <paramref name="text"/>; the two may have changed places.</summary>
    public static void Apply(INormalizer[] steps, ref AlignedText text, ref AlignedText spare)
    {
        foreach (INormalizer step in steps)
        {
            if (step.Apply(text, spare))
            {
                (text, spare) = (spare, text);
            }
        }
    }
}

internal sealed class LowercaseNormalizer : INormalizer
{
    // The one character whose full lower case is longer than itself.
    private const char CapitalDottedI = '\u0130';

    public bool Apply(AlignedText source, AlignedText destination)
    {
        destination.Clear(source.HasOffsets);
        int copied = 0;
        for (int at; (at = source.Text[copied..].IndexOf(CapitalDottedI)) >= 0; copied += at + 1)
        {
            destination.Append(source, copied, copied + at);
            destination.AppendReplacement(source, copied + at, copied + at + 1, "i\u0307");
        }

        destination.Append(source, copied, source.Length);
        destination.ToLower();
        return true;
    }
}

internal sealed class ReplaceNormalizer(Regex pattern, string content) : INormalizer
{
    private readonly RegexPool _patterns = new(pattern);

    public bool Apply(AlignedText source, AlignedText destination)
    {
        bool found = false;
        int copied = 0;
        using var matched = new RegexText(source.Text);
        Regex regex = _patterns.Rent();
        foreach (ValueMatch match in regex.EnumerateMatches(matched.Matched))
        {
            int start = matched.Position(match.Index);
            int end = matched.Position(match.Index + match.Length);
            if (!found)
            {
                destination.Clear(source.HasOffsets);
                found = true;
            }

            destination.Append(source, copied, start);
            destination.AppendReplacement(source, start, end, content);
            copied = end;
        }

        _patterns.Return(regex);
        if (found)
        {
            destination.Append(source, copied, source.Length);
        }

        return found;
    }
}

/// <summary>Canonical composition, run by run of a starter and its marks so that characters keep an origin.</summary>
internal sealed class CompositionNormalizer : INormalizer
{
    /// <summary>False under invariant globalization, where the runtime returns every text as it is.</summary>
    public static bool IsAvailable { get; } = "e\u0301".Normalize(NormalizationForm.FormC).Length == 1;

    public bool Apply(AlignedText source, AlignedText destination)
    {
        ReadOnlySpan<char> text = source.Text;
        if (text.IsNormalized(NormalizationForm.FormC))
        {
            return false;
        }

        destination.Clear(source.HasOffsets);
        int start = 0;
        while (start < text.Length)
        {
            int end = start + 1;
            while (end < text.Length && Continues(text, end))
            {
                end++;
            }

            string run = text[start..end].ToString();
            string composed = run.Normalize(NormalizationForm.FormC);
            if (composed == run)
            {
                destination.Append(source, start, end);
            }
            else
            {
                destination.AppendReplacement(source, start, end, composed);
            }

            start = end;
        }

        return true;
    }

    private static bool Continues(ReadOnlySpan<char> text, int at)
    {
        if (char.IsLowSurrogate(text[at]) && char.IsHighSurrogate(text[at - 1]))
        {
            return true;
        }

        bool isVowelOrFinalJamo = text[at] is >= '\u1160' and <= '\u11FF';
        return isVowelOrFinalJamo
            || (Rune.DecodeFromUtf16(text[at..], out Rune rune, out _) == System.Buffers.OperationStatus.Done
                && Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark);
    }
}
