namespace Tern.Pipelines.Demo.Report;

/// <summary>What the transformer blocks are worth: the same weights with the blocks left out.</summary>
internal static class AblationSection
{
    public static void Render(HtmlText page, DemoResults results)
    {
        AblationFigures ablation = results.Ablation;
        page.Element("h2", "What the transformer blocks add");
        page.Element("p", "The same trained weights with the blocks bypassed (embedding, final norm, head) are what is left when words are not read in context. The gain is what the full model has over that in RR@10.");
        page.Markup("<div class=\"scroll\"><table><thead><tr><th>model</th><th>RR@10</th><th>nDCG@10</th><th>R@100</th><th>gain</th><th>95 % interval</th><th>wins / losses</th></tr></thead><tbody>\n");
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
        if (paired is null)
        {
            page.Element("td", "–").Element("td", "–").Element("td", "–");
        }
        else
        {
            page.Element("td", $"{HtmlText.Signed(paired.MeanDifference)} (p {HtmlText.Probability(paired.P)})", paired.MeanDifference > 0 ? "class=\"gain\"" : "class=\"loss\"");
            page.Element("td", $"{HtmlText.Signed(paired.IntervalLow)} … {HtmlText.Signed(paired.IntervalHigh)}");
            page.Element("td", $"{paired.Wins} / {paired.Losses}");
        }

        page.Markup("</tr>\n");
    }
}
