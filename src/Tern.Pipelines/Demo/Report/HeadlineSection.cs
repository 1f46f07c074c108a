namespace Tern.Pipelines.Demo.Report;

/// <summary>The table: four systems on the same test queries over the same documents.</summary>
internal static class HeadlineSection
{
    public static void Render(HtmlText page, DemoResults results)
    {
        (string Name, SystemFigures Figures)[] systems =
            [("BM25", results.Bm25), ("Dense", results.Dense), ("Sparse", results.Sparse), ("Hybrid", results.Hybrid)];
        page.Markup("<div class=\"scroll\"><table><thead><tr><th>system</th><th>RR@10</th><th>nDCG@10</th><th>R@100</th><th>index MB</th><th>µs a query</th><th>RR@10 against BM25</th><th>wins / losses</th></tr></thead><tbody>\n");
        foreach ((string name, SystemFigures figures) in systems)
        {
            page.Markup("<tr>").Element("td", name);
            Score(page, figures.Rr10, systems.Max(s => s.Figures.Rr10));
            Score(page, figures.Ndcg10, systems.Max(s => s.Figures.Ndcg10));
            Score(page, figures.R100, systems.Max(s => s.Figures.R100));
            page.Element("td", HtmlText.Format(figures.IndexMb, "0.0"));
            page.Element("td", HtmlText.Format(figures.UsPerQuery, "#,0"));
            if (figures.AgainstBm25 is { } paired)
            {
                page.Element("td", $"{HtmlText.Signed(paired.MeanDifference)} (p {HtmlText.Probability(paired.P)})", paired.MeanDifference > 0 ? "class=\"gain\"" : "class=\"loss\"");
                page.Element("td", $"{paired.Wins} / {paired.Losses}");
            }
            else
            {
                page.Element("td", "–").Element("td", "–");
            }

            page.Markup("</tr>\n");
        }

        page.Markup("</tbody></table></div>\n");
        CollectionFigures collection = results.Collection;
        page.Element(
            "p",
            FormattableString.Invariant($"{collection.TestQueries:#,0} test queries over all {collection.Documents:#,0} documents of {collection.Name}. ")
            + "µs a query is one thread's time in the index after a warm-up pass; "
            + FormattableString.Invariant($"encoding a query's text before that takes {results.Sparse.EncodeUsPerQuery:#,0} µs for the sparse model, {results.Dense.EncodeUsPerQuery:#,0} µs for the dense one. ")
            + FormattableString.Invariant($"p is two-sided, from a paired randomisation test on RR@10 with {results.Recipe.RandomizationRounds:#,0} rounds. ")
            + "The hybrid adds the systems' scores, " + string.Join(", ", results.HybridWeights.Select(w => $"{w.Key} × {HtmlText.Format(w.Value)}")) + ", weights chosen on the dev queries.",
            "class=\"note\"");
    }

    private static void Score(HtmlText page, double value, double best) =>
        page.Element("td", HtmlText.Format(value, "0.000"), value >= best ? "class=\"best\"" : "");
}
