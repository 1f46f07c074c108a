using System.Globalization;
using System.Text;
using Spectre.Console;

namespace Tern.Cli;

/// <summary>Terms with their contributions, as bars on a terminal and as plain numbers elsewhere; <c>+</c> marks what the model added.</summary>
internal static class TermBars
{
    private const int BarWidth = 8;

    // " … 123 more 12.34"
    private const int RestWidth = 18;

    /// <summary>The heaviest terms on one line: at most <paramref name="most"/>, and only as many as fit; the rest as one number.</summary>
    public static string Markup(IReadOnlyList<MatchedTerm> terms, int most, bool bars, int width = int.MaxValue)
    {
        float largest = terms.Count == 0 ? 1f : terms.Max(t => t.Contribution);
        string separator = bars ? "  " : ", ";
        var line = new StringBuilder();
        int used = 0;
        int shown = 0;
        for (; shown < Math.Min(most, terms.Count); shown++)
        {
            MatchedTerm term = terms[shown];
            string name = (term.IsExpansion ? "+" : "") + Visible(term.Text);
            string bar = bars ? Bar(term.Contribution / largest, BarWidth) : "";
            string number = Invariant($"{term.Contribution:0.00}");
            used += name.Length + 1 + bar.Length + number.Length + (shown == 0 ? 0 : separator.Length);
            if (shown > 0 && used > width - RestWidth)
            {
                break;
            }

            line.Append(shown == 0 ? "" : separator);
            line.Append(bars ? $"[{(term.IsExpansion ? "yellow" : "green")}]{name.EscapeMarkup()}[/] [grey]{bar}[/]{number}" : $"{name.EscapeMarkup()} {number}");
        }

        if (shown < terms.Count)
        {
            line.Append(CultureInfo.InvariantCulture, $" … {terms.Count - shown} more {terms.Skip(shown).Sum(t => t.Contribution):0.00}");
        }

        return line.ToString();
    }

    /// <summary>A bar of eighths of a character.</summary>
    public static string Bar(double share, int width)
    {
        int eighths = (int)Math.Round(Math.Clamp(share, 0, 1) * width * 8);
        string whole = new('█', eighths / 8);
        return eighths % 8 == 0 ? whole : whole + (char)('█' + (8 - (eighths % 8)));
    }

    /// <summary>A token as it can be printed: white space and control characters made visible.</summary>
    public static string Visible(string token)
    {
        string trimmed = token.Trim(' ');
        return trimmed.Length == 0 ? "␣" : string.Concat(trimmed.Select(c => c switch
        {
            '\n' => "⏎",
            '\t' => "⇥",
            _ when char.IsControl(c) || char.IsSurrogate(c) && trimmed.Length == 1 => Invariant($"\\x{(int)c:x2}"),
            _ => c.ToString(),
        }));
    }
}
