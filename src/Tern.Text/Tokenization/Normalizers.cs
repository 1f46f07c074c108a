using System.Text;
using System.Text.RegularExpressions;

namespace Tern.Text;

/// <summary>One step of a tokenizer.json's normalizer.</summary>
internal interface INormalizer
{
    AlignedText Apply(AlignedText text);
}

internal sealed class LowercaseNormalizer : INormalizer
{
    // The one character whose full lower case is longer than itself.
    private const char CapitalDottedI = '\u0130';

    public AlignedText Apply(AlignedText text)
    {
        if (!text.Text.Contains(CapitalDottedI, StringComparison.Ordinal))
        {
            return text.WithText(text.Text.ToLowerInvariant());
        }
        var builder = new AlignedText.Builder(text);
        int copied = 0;
        for (int at; (at = text.Text.IndexOf(CapitalDottedI, copied)) >= 0; copied = at + 1)
        {
            builder.Copy(copied, at);
            builder.Replace(at, at + 1, "i\u0307");
        }
        builder.Copy(copied, text.Text.Length);
        AlignedText expanded = builder.Build();
        return expanded.WithText(expanded.Text.ToLowerInvariant());
    }
}

internal sealed class ReplaceNormalizer(Regex pattern, string content) : INormalizer
{
    public AlignedText Apply(AlignedText text)
    {
        AlignedText.Builder? builder = null;
        int copied = 0;
        var matched = new RegexText(text.Text);
        foreach (ValueMatch match in pattern.EnumerateMatches(matched.Matched))
        {
            int start = matched.Position(match.Index);
            int end = matched.Position(match.Index + match.Length);
            builder ??= new AlignedText.Builder(text);
            builder.Copy(copied, start);
            builder.Replace(start, end, content);
            copied = end;
        }
        if (builder == null)
        {
            return text;
        }
        builder.Copy(copied, text.Text.Length);
        return builder.Build();
    }
}

/// <summary>Canonical composition, run by run of a starter and its marks so that characters keep an origin.</summary>
internal sealed class CompositionNormalizer : INormalizer
{
    /// <summary>False under invariant globalization, where the runtime returns every text as it is.</summary>
    public static bool IsAvailable { get; } = "e\u0301".Normalize(NormalizationForm.FormC).Length == 1;

    public AlignedText Apply(AlignedText text)
    {
        if (text.Text.IsNormalized(NormalizationForm.FormC))
        {
            return text;
        }
        var builder = new AlignedText.Builder(text);
        int start = 0;
        while (start < text.Text.Length)
        {
            int end = start + 1;
            while (end < text.Text.Length && Continues(text.Text, end))
            {
                end++;
            }
            string run = text.Text[start..end];
            string composed = run.Normalize(NormalizationForm.FormC);
            if (composed == run)
            {
                builder.Copy(start, end);
            }
            else
            {
                builder.Replace(start, end, composed);
            }
            start = end;
        }
        return builder.Build();
    }

    private static bool Continues(string text, int at)
    {
        if (char.IsLowSurrogate(text[at]) && char.IsHighSurrogate(text[at - 1]))
        {
            return true;
        }
        bool isVowelOrFinalJamo = text[at] is >= '\u1160' and <= '\u11FF';
        return isVowelOrFinalJamo || char.GetUnicodeCategory(text, at)
            is System.Globalization.UnicodeCategory.NonSpacingMark
            or System.Globalization.UnicodeCategory.SpacingCombiningMark
            or System.Globalization.UnicodeCategory.EnclosingMark;
    }
}
