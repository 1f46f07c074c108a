using Spectre.Console;

namespace Tern.Cli;

/// <summary>Terms with their contributions, as bars on a terminal and as plain numbers elsewhere; <c>+</c> marks what the model added.</summary>
internal static class TermBars
{
    private const int BarWidth = 8;

    /// <summary>All terms on one line, at most <paramref name="most"/> of them; the rest as one number.</summary>
    public static string Markup(IReadOnlyList<MatchedTerm> terms, int most, bool bars)
    {
        float largest = terms.Count == 0 ? 1f : terms.Max(t => t.Contribution);
        IEnumerable<string> shown = terms.Take(most).Select(term =>
        {
            string name = (term.IsExpansion ? "+" : "") + Visible(term.Text).EscapeMarkup();
            string number = Invariant($"{term.Contribution:0.00}");
            return bars
                ? $"[{(term.IsExpansion ? "yellow" : "green")}]{name}[/] [grey]{Bar(term.Contribution / largest, BarWidth)}[/]{number}"
                : $"{name} {number}";
        });
        string rest = terms.Count > most ? Invariant($" … {terms.Count - most} more {terms.Skip(most).Sum(t => t.Contribution):0.00}") : "";
        return string.Join(bars ? "  " : ", ", shown) + rest;
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
