using System.Text;
using Spectre.Console;

namespace Tern.Cli;

/// <summary>A table of text, first column left and others right, for the terminal, Markdown or LaTeX (booktabs).</summary>
internal sealed class ResultTable(params string[] columns)
{
    private readonly List<string[]> _rows = [];

    public void Add(params string[] cells) => _rows.Add(cells);

    /// <summary>Writes as "table", "markdown" or "latex".</summary>
    public void Write(Terminal terminal, string format)
    {
        switch (format)
        {
            case "markdown":
                WriteMarkdown(terminal.Out);
                break;
            case "latex":
                WriteLatex(terminal.Out);
                break;
            default:
                WriteTable(terminal);
                break;
        }
    }

    private void WriteTable(Terminal terminal)
    {
        var table = new Table { Border = terminal.OutIsTerminal ? TableBorder.Rounded : TableBorder.None };
        for (int c = 0; c < columns.Length; c++)
        {
            var column = new TableColumn(columns[c].EscapeMarkup()) { NoWrap = true };
            table.AddColumn(c == 0 ? column : column.RightAligned());
        }

        foreach (string[] row in _rows)
        {
            table.AddRow(Array.ConvertAll(row, cell => cell.EscapeMarkup()));
        }

        terminal.OutConsole.Write(table);
    }

    private void WriteMarkdown(TextWriter output)
    {
        static string Row(IEnumerable<string> cells) => $"| {string.Join(" | ", cells.Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal)))} |";
        output.WriteLine(Row(columns));
        output.WriteLine(Row(columns.Select((_, c) => c == 0 ? "---" : "---:")));
        foreach (string[] row in _rows)
        {
            output.WriteLine(Row(row));
        }
    }

    private void WriteLatex(TextWriter output)
    {
        static string Row(IEnumerable<string> cells) => $"{string.Join(" & ", cells.Select(LatexText))} \\\\";
        output.WriteLine($"\\begin{{tabular}}{{l{new string('r', columns.Length - 1)}}}");
        output.WriteLine("\\toprule");
        output.WriteLine(Row(columns));
        output.WriteLine("\\midrule");
        foreach (string[] row in _rows)
        {
            output.WriteLine(Row(row));
        }

        output.WriteLine("\\bottomrule");
        output.WriteLine("\\end{tabular}");
    }

    private static string LatexText(string text)
    {
        var escaped = new StringBuilder();
        foreach (char character in text)
        {
            escaped.Append(character switch
            {
                '&' or '%' or '$' or '#' or '_' or '{' or '}' => $"\\{character}",
                '\\' => "\\textbackslash{}",
                '~' => "\\textasciitilde{}",
                '^' => "\\textasciicircum{}",
                '<' => "$<$",
                '-' when escaped.Length == 0 && text.Length > 1 && char.IsAsciiDigit(text[1]) => "$-$",
                _ => character.ToString(),
            });
        }

        return escaped.ToString();
    }
}
