using System.IO.Hashing;
using System.Text;

namespace Tern.Pipelines.Demo.Report;

/// <summary>Where the sparse model and BM25 part: every query's difference, and the largest on either side with what was found.</summary>
internal static class WinsLossesSection
{
    private const int RowCount = 8;

    public static void Render(HtmlText page, IReadOnlyList<QueryOutcome> outcomes)
    {
        page.Element("h2", "Query by query");
        DifferenceChart.Render(page, "RR@10 of sparse minus RR@10 of BM25", [.. outcomes.Select(o => o.SparseGain)]);
        DifferenceChart.Render(page, "RR@10 of hybrid minus RR@10 of BM25", [.. outcomes.Select(o => o.Hybrid - o.Bm25)]);
        // Among equal differences a hash of the topic decides: the same results give the same page, and not all of its rows
        // are about one type, whose topics have neighbouring ids.
        QueryOutcome[] sorted = [.. outcomes.OrderByDescending(o => o.SparseGain).ThenBy(o => XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(o.QueryId)))];
        Table(page, "Largest wins of sparse over BM25", sorted.Where(o => o.SparseGain > 0).Take(RowCount));
        Table(page, "Largest losses of sparse to BM25", sorted.Reverse().Where(o => o.SparseGain < 0).Take(RowCount));
    }

    private static void Table(HtmlText page, string title, IEnumerable<QueryOutcome> rows)
    {
        QueryOutcome[] shown = [.. rows];
        page.Element("h3", title);
        if (shown.Length == 0)
        {
            page.Element("p", "None.", "class=\"note\"");
            return;
        }

        page.Markup("<div class=\"scroll\"><table><thead><tr><th class=\"text\">query</th><th class=\"text\">sought</th><th class=\"text\">sparse's first</th><th class=\"text\">BM25's first</th><th>sparse</th><th>BM25</th></tr></thead><tbody>\n");
        foreach (QueryOutcome outcome in shown)
        {
            page.Markup("<tr>").Element("td", outcome.Query, "class=\"text\"").Element("td", outcome.Sought, "class=\"text\"");
            page.Element("td", outcome.SparseFirst, "class=\"text\"").Element("td", outcome.Bm25First, "class=\"text\"");
            page.Element("td", HtmlText.Format(outcome.Sparse), outcome.SparseGain > 0 ? "class=\"gain\"" : "class=\"loss\"");
            page.Element("td", HtmlText.Format(outcome.Bm25)).Markup("</tr>\n");
        }

        page.Markup("</tbody></table></div>\n");
    }
}
