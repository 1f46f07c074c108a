namespace Tern.Pipelines.Demo.Report;

/// <summary>Queries with their best sparse hit: which terms weigh what, which of them met, and which words they came from.</summary>
internal static class ExplainedSection
{
    private const int TermCount = 14;

    public static void Render(HtmlText page, IReadOnlyList<ExplainedQuery> examples)
    {
        page.Element("h2", "Why a hit matched");
        page.Markup("<p>Every score is a sum over shared terms: query weight × document weight. <span class=\"legend\"><span><span class=\"key s0\"></span>in the query’s text</span> <span><span class=\"key s1\"></span><em>added by the model</em></span></span></p>\n");
        foreach (ExplainedQuery example in examples)
        {
            page.Markup("<div class=\"card\">").Element("h3", $"“{example.Query}”");
            QueryBars(page, example.QueryTerms);
            Hit(page, example);
            Contributions(page, example);
            if (example.RunnersUp.Count > 0)
            {
                page.Element("p", "Then: " + string.Join(" · ", example.RunnersUp), "class=\"note hit\"");
            }

            page.Markup("</div>\n");
        }
    }

    private static void QueryBars(HtmlText page, IReadOnlyList<QueryTerm> terms)
    {
        float heaviest = terms.Count > 0 ? terms.Max(t => t.Weight) : 1;
        page.Markup("<div class=\"bars\">\n");
        foreach (QueryTerm term in terms.Take(TermCount))
        {
            page.Element("span", Visible(term.Text), term.IsExpansion ? "class=\"term expanded-term\"" : "class=\"term\"");
            page.Markup($"<span class=\"bar{(term.IsExpansion ? " expanded" : "")}\" style=\"width:").Number(100 * term.Weight / heaviest, "0.#").Markup("%\"></span>");
            page.Element("span", HtmlText.Format(term.Weight, "0.00"));
        }

        page.Markup("</div>\n");
        if (terms.Count > TermCount)
        {
            page.Element("p", $"and {terms.Count - TermCount} lighter terms", "class=\"note\"");
        }
    }

    private static void Hit(HtmlText page, ExplainedQuery example)
    {
        page.Markup("<h3>").Text(example.Name).Markup(" <small>").Text($"score {HtmlText.Format(example.Score)}").Markup("</small></h3>\n");
        if (example.Summary.Length > 0)
        {
            page.Element("p", example.Summary, "class=\"hit\"");
        }

        page.Markup("<p class=\"hit\">");
        int at = 0;
        foreach (FiredSpan span in example.Fired.OrderBy(s => s.Start))
        {
            if (span.Start < at)
            {
                continue;
            }

            page.Text(example.Text[at..span.Start]);
            page.Markup("<mark style=\"background:rgba(var(--mark),").Number(0.15 + 0.75 * span.Strength).Markup(")\">").Text(example.Text.Substring(span.Start, span.Length)).Markup("</mark>");
            at = span.Start + span.Length;
        }

        page.Text(example.Text[at..]).Markup("</p>\n");
    }

    private static void Contributions(HtmlText page, ExplainedQuery example)
    {
        page.Markup("<details><summary>How the score adds up</summary><div class=\"scroll\"><table><thead><tr><th>term</th><th>in the query</th><th>in the document</th><th>contribution</th><th>share</th></tr></thead><tbody>\n");
        foreach (MatchedTerm match in example.Matches.Take(TermCount))
        {
            page.Markup("<tr>").Element("td", Visible(match.Text), match.IsExpansion ? "class=\"term expanded-term\"" : "class=\"term\"");
            page.Element("td", HtmlText.Format(match.QueryWeight, "0.00"));
            page.Element("td", HtmlText.Format(match.DocumentWeight, "0.00"));
            page.Element("td", HtmlText.Format(match.Contribution, "0.00"));
            page.Element("td", HtmlText.Format(100 * match.Contribution / example.Matches.Sum(m => m.Contribution), "0") + " %").Markup("</tr>\n");
        }

        page.Markup("</tbody></table></div></details>\n");
    }

    /// <summary>A vocabulary entry that is white space or a control character would leave its row nameless.</summary>
    private static string Visible(string term) => term.All(c => char.IsWhiteSpace(c) || char.IsControl(c))
        ? string.Concat(term.Select(c => FormattableString.Invariant($"U+{(int)c:X4}")))
        : term;
}
