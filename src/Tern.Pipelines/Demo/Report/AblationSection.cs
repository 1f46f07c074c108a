namespace Tern.Pipelines.Demo.Report;

/// <summary>What the transformer blocks are worth: the same weights with the blocks left out.</summary>
internal static class AblationSection
{
    private const string Signed = "+0.000;−0.000";

    public static void Render(HtmlText page, DemoResults results)
    {
        AblationFigures ablation = results.Ablation;
        page.Element("h2", "What the transformer blocks add");
        page.Element("p", "The same trained weights with the blocks bypassed (embedding, final norm, head) are what is left when words are not read in context.");
        page.Markup("<div class=\"scroll\"><table><thead><tr><th>model</th><th>RR@10</th><th>nDCG@10</th><th>R@100</th><th>full model's gain in RR@10</th><th>95 % interval</th><th>p</th><th>wins / losses</th></tr></thead><tbody>\n");
        Row(page, "sparse", results.Sparse, null);
        Row(page, "sparse, blocks bypassed", ablation.SparseWithoutBlocks, ablation.SparseFullAgainstIt);
        if (ablation.DenseWithoutBlocks is { } dense)
        {
            Row(page, "dense", results.Dense, null);
            Row(page, "dense, blocks bypassed", dense, ablation.DenseFullAgainstIt);
        }

        page.Markup("</tbody></table></div>\n");
    }

    private static void Row(HtmlText page, string name, SystemFigures figures, PairedFigures? paired)
    {
        page.Markup("<tr>").Element("td", name);
        page.Element("td", HtmlText.Format(figures.Rr10, "0.000"));
        page.Element("td", HtmlText.Format(figures.Ndcg10, "0.000"));
        page.Element("td", HtmlText.Format(figures.R100, "0.000"));
        page.Element("td", paired is null ? "–" : HtmlText.Format(paired.MeanDifference, Signed));
        page.Element("td", paired is null ? "–" : $"{HtmlText.Format(paired.IntervalLow, Signed)} … {HtmlText.Format(paired.IntervalHigh, Signed)}");
        page.Element("td", paired is null ? "–" : HtmlText.Probability(paired.P));
        page.Element("td", paired is null ? "–" : $"{paired.Wins} / {paired.Losses}");
        page.Markup("</tr>\n");
    }
}
