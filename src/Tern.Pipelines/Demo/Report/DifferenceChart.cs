namespace Tern.Pipelines.Demo.Report;

/// <summary>Per-query differences sorted from best to worst, as one filled outline above and below zero.</summary>
internal static class DifferenceChart
{
    private const double Width = 640;
    private const double Height = 220;
    private const double Left = 52;
    private const double Right = 12;
    private const double Top = 14;
    private const double Bottom = 22;

    public static void Render(HtmlText page, string title, IReadOnlyList<double> differences)
    {
        double[] sorted = [.. differences.OrderDescending()];
        if (sorted.Length == 0)
        {
            return;
        }

        ChartScale x = ChartScale.Spanning(0, sorted.Length, Left, Width - Right, 6, tight: true);
        ChartScale y = ChartScale.Spanning(-1, 1, Height - Bottom, Top, 4);
        page.Markup("<figure><figcaption>").Text(title).Markup($"</figcaption>\n<svg viewBox=\"0 0 {Width:0} {Height:0}\" role=\"img\" aria-label=\"").Text(title).Markup("\">\n");
        foreach (double tick in y.Ticks)
        {
            string at = HtmlText.Format(y.Position(tick), "0.#");
            page.Markup($"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{at}\" y2=\"{at}\"/>");
            page.Markup($"<text class=\"tick\" text-anchor=\"end\" x=\"{Left - 6}\" y=\"{at}\" dy=\"4\">").Text(ChartScale.Label(tick)).Markup("</text>\n");
        }

        Area(page, "won", sorted, 0, x, y, d => d > 0);
        Area(page, "lost", sorted, Array.FindIndex(sorted, d => d < 0), x, y, d => d < 0);
        page.Markup($"<text class=\"tick\" text-anchor=\"end\" x=\"{Width - Right}\" y=\"{Height - 6}\">").Text($"{sorted.Length} queries, best to worst").Markup("</text></svg></figure>\n");
    }

    /// <summary>The steps of consecutive values that satisfy <paramref name="include"/>, closed along zero.</summary>
    private static void Area(HtmlText page, string style, double[] sorted, int start, ChartScale x, ChartScale y, Func<double, bool> include)
    {
        if (start < 0 || !include(sorted[start]))
        {
            return;
        }

        string zero = HtmlText.Format(y.Position(0), "0.#");
        page.Markup($"<path class=\"{style}\" d=\"M").Number(x.Position(start), "0.##").Markup($" {zero}");
        int i = start;
        while (i < sorted.Length && include(sorted[i]))
        {
            int run = i;
            while (run < sorted.Length && sorted[run] == sorted[i])
            {
                run++;
            }

            page.Markup("V").Number(y.Position(sorted[i]), "0.#").Markup("H").Number(x.Position(run), "0.##");
            i = run;
        }

        page.Markup($"V{zero}Z\"/>\n");
    }
}
