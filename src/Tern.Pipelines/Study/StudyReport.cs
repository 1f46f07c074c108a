using Tern.Pipelines.Demo.Report;

namespace Tern.Pipelines.Study;

/// <summary>A study's page: findings, tables, charts; one file, no script, no address of another host.</summary>
public static class StudyReport
{
    /// <param name="charts">Each chart with its drawing as SVG markup.</param>
    /// <param name="command">What makes the page again.</param>
    public static string Render(StudyPlan plan, StudyAnalysis analysis, IReadOnlyList<(StudyChart Chart, string Svg)> charts, string command)
    {
        var page = new HtmlText();
        page.Markup("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Tern: ")
            .Text(plan.Name).Markup("</title>\n<style>\n").Markup(PageStyle.Css).Markup("\nfigure{margin:1rem 0;background:#fff;border-radius:6px;padding:.3rem}figure svg{width:100%;height:auto;display:block}figure figcaption{color:#5c6670;padding:0 .6rem .4rem}td,th{white-space:nowrap}\n</style></head><body>\n");
        page.Element("h1", plan.Name);
        page.Element("p", FormattableString.Invariant($"{analysis.AllRecords.Count} of {plan.Cells().Count} cells: {plan.Sizes.Count} sizes × {string.Join(", ", plan.Types)} × {string.Join(", ", plan.Objectives.Select(o => o.Name))} × {plan.Seeds.Count} {(plan.Seeds.Count == 1 ? "seed" : "seeds")}; every cell trained on {plan.Train.Name} with {plan.BudgetFlops:0.##E+0} floating-point operations (counted: products and attention, forward, backward and recomputation)."));
        Findings(page, plan, analysis);
        foreach ((StudyChart chart, string svg) in charts)
        {
            page.Element("h3", chart.Title).Markup($"<figure id=\"{chart.Name}\">").Markup(svg).Element("figcaption", chart.Note).Markup("</figure>\n");
        }

        Means(page, plan, analysis);
        Fits(page, analysis);
        Robustness(page, analysis);
        Comparisons(page, analysis);
        Cells(page, analysis);
        page.Element("h2", "Make it again").Markup("<pre>").Text(command).Markup("</pre>\n");
        page.Element("p", "results.csv, fits.csv, comparisons.csv and robustness.csv beside this page hold every number on it; each cell's record, with the values of every query, is cells/NAME/cell.json.");
        return page.Markup("</body></html>\n").ToString();
    }

    private static void Findings(HtmlText page, StudyPlan plan, StudyAnalysis analysis)
    {
        page.Element("h2", "The paper's findings, asked of this study");
        page.Element("p", StudyFindings.Caveat);
        page.Markup("<ul>\n");
        foreach (Finding finding in StudyFindings.Of(plan, analysis))
        {
            page.Markup("<li><b>").Text(finding.Claim).Markup("</b> ").Text(finding.Agrees switch { true => "Yes here: ", false => "No, not here: ", null => "Not decided here: " }).Text(finding.Answer).Markup("</li>\n");
        }

        page.Markup("</ul>\n");
    }

    /// <summary>Seeds averaged; the collections other than that trained on as one.</summary>
    private static void Means(HtmlText page, StudyPlan plan, StudyAnalysis analysis)
    {
        if (analysis.Records.Count == 0)
        {
            return;
        }

        page.Element("h2", "In the domain and out of it");
        string[] others = [.. analysis.Collections.Where(c => c != plan.Train.Name)];
        page.Element("p", $"In the domain: {plan.Train.Name}; out of it: the mean over {(others.Length > 0 ? string.Join(", ", others) : "no collection")}. Seeds are averaged.");
        Table(page, ["size", "type", "objective", "nDCG@10 in", "RR@10 in", "R@1000 in", "nDCG@10 out", "RR@10 out", "R@1000 out"], analysis.Records.GroupBy(r => (r.Size, r.Type, r.Objective)).Select(g => new[]
        {
            g.Key.Size, g.Key.Type, g.Key.Objective,
            Mean(g, [plan.Train.Name], m => m.Ndcg10), Mean(g, [plan.Train.Name], m => m.Rr10), Mean(g, [plan.Train.Name], m => m.R1000),
            Mean(g, others, m => m.Ndcg10), Mean(g, others, m => m.Rr10), Mean(g, others, m => m.R1000),
        }));

        static string Mean(IEnumerable<CellRecord> cells, string[] collections, Func<CellMeasures, double> measure)
        {
            double[][] values = [.. collections.Select(c => cells.Select(r => StudyAnalysis.On(r, c)).OfType<CellMeasures>().Select(measure).ToArray())];
            return values.Length > 0 && values.All(v => v.Length > 0) ? HtmlText.Format(values.Average(v => v.Average()), "0.000") : "";
        }
    }

    private static void Fits(HtmlText page, StudyAnalysis analysis)
    {
        if (analysis.Fits.Count == 0)
        {
            return;
        }

        page.Element("h2", "Power laws");
        page.Element("p", "1 − nDCG@10 = scale · parameters ^ exponent; the interval is of the exponent, over queries and seeds drawn with replacement.");
        Table(page, ["collection", "type", "objective", "exponent", "95 % interval", "R²", "sizes", "seeds"], analysis.Fits.Select(f => new[]
        {
            f.Collection, f.Type, f.Objective, HtmlText.Format(f.Law.Exponent, "0.0000"), $"{HtmlText.Format(f.ExponentLow, "0.0000")} to {HtmlText.Format(f.ExponentHigh, "0.0000")}", HtmlText.Format(f.Law.R2, "0.00"), HtmlText.Format(f.SizeCount), HtmlText.Format(f.SeedCount),
        }));
    }

    private static void Robustness(HtmlText page, StudyAnalysis analysis)
    {
        if (analysis.Robustness.Count == 0)
        {
            return;
        }

        page.Element("h2", "Errors in the supervision");
        page.Element("p", "Models that learned from examples of which a share had one of their negatives for the positive, or from teacher scores with noise, beside those of the same seeds without; the interval is of the part kept, over queries drawn with replacement.");
        Table(page, ["collection", "size", "type", "objective", "errors", "level", "nDCG@10", "without", "kept", "95 % interval"], analysis.Robustness.Select(p => new[]
        {
            p.Collection, p.Size, p.Type, p.Objective, p.Errors, HtmlText.Format(p.Level), HtmlText.Format(p.Ndcg10, "0.000"), HtmlText.Format(p.Clean, "0.000"), HtmlText.Format(p.Kept, "0.000"), $"{HtmlText.Format(p.Low, "0.000")} to {HtmlText.Format(p.High, "0.000")}",
        }));
    }

    private static void Comparisons(HtmlText page, StudyAnalysis analysis)
    {
        if (analysis.Comparisons.Count == 0)
        {
            return;
        }

        page.Element("h2", "Paired comparisons");
        page.Element("p", "nDCG@10 of every query, seeds averaged; randomisation test, p corrected by Holm's rule over all rows.");
        Table(page, ["collection", "size", "first", "second", "difference", "95 % interval", "p (Holm)", "wins", "losses"], analysis.Comparisons.Select(c => new[]
        {
            c.Collection, c.Size, c.First, c.Second, HtmlText.Signed(c.Figures.MeanDifference), $"{HtmlText.Signed(c.Figures.IntervalLow)} to {HtmlText.Signed(c.Figures.IntervalHigh)}", HtmlText.Format(c.AdjustedP, "0.0000"), HtmlText.Format(c.Figures.Wins), HtmlText.Format(c.Figures.Losses),
        }));
    }

    private static void Cells(HtmlText page, StudyAnalysis analysis)
    {
        page.Element("h2", "Cells");
        Table(page, ["cell", "parameters", "steps", "FLOPs of the budget", "seconds", "collection", "RR@10", "nDCG@10", "R@1000", "non-zeros q / d", "µs a search"], analysis.AllRecords.SelectMany(r => r.Measures.Select(m => new[]
        {
            r.Cell, HtmlText.Format(r.NonEmbeddingParameters, "#,0"), HtmlText.Format(r.StepCount, "#,0"), HtmlText.Format(100 * r.TrainingFlops / r.BudgetFlops, "0.0") + " %", HtmlText.Format(r.TrainingSeconds, "0"), m.Collection,
            HtmlText.Format(m.Rr10, "0.000"), HtmlText.Format(m.Ndcg10, "0.000"), HtmlText.Format(m.R1000, "0.000"), $"{HtmlText.Format(m.QueryNonZeros, "0")} / {HtmlText.Format(m.DocumentNonZeros, "0")}", HtmlText.Format(m.MicrosecondsPerQuery, "0"),
        })));
    }

    private static void Table(HtmlText page, string[] heads, IEnumerable<string[]> rows)
    {
        page.Markup("<div style=\"overflow-x:auto\"><table><thead><tr>");
        foreach (string head in heads)
        {
            page.Element("th", head);
        }

        page.Markup("</tr></thead><tbody>\n");
        foreach (string[] row in rows)
        {
            page.Markup("<tr>");
            foreach (string cell in row)
            {
                page.Element("td", cell);
            }

            page.Markup("</tr>\n");
        }

        page.Markup("</tbody></table></div>\n");
    }
}
