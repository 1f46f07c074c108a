using System.CommandLine;
using System.Text.Json;
using Spectre.Console;

namespace Tern.Cli;

/// <summary><c>tern explain</c>: why a document scores what it scores for a query.</summary>
internal static class ExplainCommand
{
    private const int BarWidth = 24;

    public static Command Create(Terminal terminal)
    {
        Option<string> index = Flags.RequiredText("--index", "The index directory.", "dir");
        Option<string?> model = Flags.Text("--model", "The index's model, where it is no longer in its old place.", "dir");
        Option<string> query = Flags.RequiredText("--query", "The query.", "text");
        Option<string> doc = Flags.RequiredText("--doc", "Id of the document.", "id");
        Option<int> top = Flags.Count("--top", "Terms to show.", 20);
        Option<bool> json = Flags.Json("the explanation");
        var modelFlags = new ModelFlags();
        var command = new Verb("explain", "Shows which terms made a document match.")
        {
            Notes = "A plus sign marks what the model added to the query. For sparse indexes the words of the document that the terms came from are shown, too.",
            Examples = ["tern explain --index artifacts/demo/index/sparse --query \"copy part of an array\" --doc M:System.Array.Copy"],
        };
        foreach (Option option in new Option[] { index, model, query, doc, top, json })
        {
            command.Add(option);
        }

        modelFlags.AddTo(command);
        command.SetAction((parsed, _) =>
        {
            using var retriever = Retriever.Open(parsed.GetRequiredValue(index), new RetrieverOptions { ModelDirectory = parsed.GetValue(model), Model = modelFlags.Read(parsed) });
            QueryExplanation explanation = retriever.Explain(parsed.GetRequiredValue(query), parsed.GetRequiredValue(doc));
            if (parsed.GetValue(json))
            {
                WriteJson(terminal, parsed.GetRequiredValue(query), explanation);
            }
            else
            {
                Write(terminal, explanation, parsed.GetValue(top));
            }

            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    /// <summary>One matched term as a JSON object; span and source only where they are known.</summary>
    public static void WriteTerm(Utf8JsonWriter json, MatchedTerm term, TextSpan? span, string? source)
    {
        json.WriteStartObject();
        json.WriteString("term", term.Text);
        json.WriteNumber("query_weight", term.QueryWeight);
        json.WriteNumber("document_weight", term.DocumentWeight);
        json.WriteNumber("contribution", term.Contribution);
        json.WriteBoolean("expansion", term.IsExpansion);
        if (span is { } known)
        {
            json.WriteNumber("start", known.Start);
            json.WriteNumber("length", known.Length);
            json.WriteString("source", source);
        }

        json.WriteEndObject();
    }

    private static void Write(Terminal terminal, QueryExplanation explanation, int top)
    {
        IAnsiConsole console = terminal.OutConsole;
        SearchResult result = explanation.Result;
        console.MarkupLine($"[bold]{(result.Document?.Name ?? result.Id).EscapeMarkup()}[/]  score {Invariant($"{result.Score:0.0000}")}");
        if (result.Terms.Count == 0)
        {
            console.WriteLine(explanation.QueryTerms.Count == 0 ? "a dense index compares whole vectors: there are no terms to show" : "query and document share no term");
            return;
        }

        float largest = result.Terms[0].Contribution;
        var table = new Table { Border = terminal.OutIsTerminal ? TableBorder.Rounded : TableBorder.None };
        table.AddColumns("term", "query", "document", "adds", "", "from");
        foreach ((MatchedTerm term, int i) in result.Terms.Take(top).Select((t, i) => (t, i)))
        {
            table.AddRow(
                (term.IsExpansion ? "[yellow]+" : "[green]") + TermBars.Visible(term.Text).EscapeMarkup() + "[/]",
                Invariant($"{term.QueryWeight:0.000}"),
                Invariant($"{term.DocumentWeight:0.000}"),
                Invariant($"{term.Contribution:0.000}"),
                terminal.OutIsTerminal ? TermBars.Bar(term.Contribution / largest, BarWidth) : "",
                Source(explanation, i).EscapeMarkup());
        }

        console.Write(table);
        if (result.Terms.Count > top)
        {
            console.WriteLine(Invariant($"{result.Terms.Count - top} more terms add {result.Terms.Skip(top).Sum(t => t.Contribution):0.000}"));
        }

        string[] added = [.. explanation.QueryTerms.Where(t => t.IsExpansion).Take(top).Select(t => Invariant($"{TermBars.Visible(t.Text)} {t.Weight:0.00}"))];
        if (added.Length > 0)
        {
            console.WriteLine($"added to the query (+): {string.Join(", ", added)}");
        }

        if (result.Document is { } document && explanation.Spans.Any(s => s is not null))
        {
            console.MarkupLine(Highlight(document.Text, [.. explanation.Spans.Take(top)], terminal.OutIsTerminal));
        }
    }

    private static string Source(QueryExplanation explanation, int term) => explanation.Spans[term] switch
    {
        null => "",
        { Length: 0 } => "(start of text)",
        { } span => explanation.Result.Document!.Text.Substring(span.Start, span.Length).Trim(),
    };

    /// <summary>The text with the characters that fired marked: by colour on a terminal, by [brackets] elsewhere.</summary>
    private static string Highlight(string text, TextSpan?[] spans, bool colors)
    {
        bool[] marked = new bool[text.Length];
        foreach (TextSpan? span in spans)
        {
            if (span is { } s)
            {
                marked.AsSpan(s.Start, s.Length).Fill(true);
            }
        }

        var result = new System.Text.StringBuilder();
        for (int start = 0; start < text.Length;)
        {
            int end = start;
            while (end < text.Length && marked[end] == marked[start])
            {
                end++;
            }

            string part = text[start..end].EscapeMarkup();
            string word = part.TrimStart();
            string space = part[..^word.Length];
            result.Append(!marked[start] || word.Length == 0 ? part : space + (colors ? $"[bold underline]{word}[/]" : $"[[{word}]]"));
            start = end;
        }

        return result.ToString();
    }

    private static void WriteJson(Terminal terminal, string query, QueryExplanation explanation) => JsonOutput.Write(terminal.Out, json =>
    {
        SearchResult result = explanation.Result;
        json.WriteString("query", query);
        json.WriteString("id", result.Id);
        json.WriteNumber("score", result.Score);
        int term = 0;
        json.WriteArray("terms", result.Terms, t =>
        {
            WriteTerm(json, t, explanation.Spans[term], Source(explanation, term));
            term++;
        });
        json.WriteArray("query_terms", explanation.QueryTerms, t =>
        {
            json.WriteStartObject();
            json.WriteString("term", t.Text);
            json.WriteNumber("weight", t.Weight);
            json.WriteBoolean("expansion", t.IsExpansion);
            json.WriteEndObject();
        });
        if (result.Document is { } document)
        {
            json.WriteString("name", document.Name);
            json.WriteString("text", document.Text);
        }
    });
}
