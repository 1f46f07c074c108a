namespace Tern.Pipelines.Demo.Report;

/// <summary>One line of a chart; <paramref name="ColorIndex"/> picks the page's series colour.</summary>
internal sealed record ChartSeries(string Name, int ColorIndex, IReadOnlyList<(double X, double Y)> Points);

/// <summary>
/// A line chart as inline SVG that takes its colours from the page, so that it follows the reader's light or dark mode
/// and the width of the screen.
/// </summary>
internal static class LineChart
{
    private const double Width = 640;
    private const double Height = 280;
    private const double Left = 52;
    private const double Right = 12;
    private const double Top = 14;
    private const double Bottom = 40;

    public static void Render(HtmlText page, string title, string xLabel, IReadOnlyList<ChartSeries> series)
    {
        ChartSeries[] drawn = [.. series.Where(s => s.Points.Count > 0)];
        if (drawn.Length == 0)
        {
            page.Element("p", $"{title}: no points were logged.", "class=\"note\"");
            return;
        }

        double xMax = drawn.Max(s => s.Points.Max(p => p.X));
        ChartScale x = ChartScale.Spanning(Math.Min(0, drawn.Min(s => s.Points.Min(p => p.X))), xMax, Left, Width - Right, 6, tight: true);
        ChartScale y = ChartScale.Spanning(Math.Min(0, drawn.Min(s => s.Points.Min(p => p.Y))), drawn.Max(s => s.Points.Max(p => p.Y)), Height - Bottom, Top, 5);

        page.Markup("<figure><figcaption>").Text(title).Markup(" <span class=\"legend\">");
        foreach (ChartSeries line in drawn)
        {
            page.Markup($"<span><span class=\"key s{line.ColorIndex}\"></span>").Text(line.Name).Markup("</span> ");
        }

        page.Markup($"</span></figcaption>\n<svg viewBox=\"0 0 {Width:0} {Height:0}\" role=\"img\" aria-label=\"").Text(title).Markup("\">\n");
        Axes(page, x, y, xLabel);
        foreach (ChartSeries line in drawn)
        {
            page.Markup($"<polyline class=\"line s{line.ColorIndex}\" points=\"");
            foreach ((double px, double py) in line.Points)
            {
                page.Number(x.Position(px), "0.#").Markup(",").Number(y.Position(py), "0.#").Markup(" ");
            }

            page.Markup("\"/>\n");
        }

        page.Markup("</svg></figure>\n");
    }

    /// <summary>Means of at most <paramref name="count"/> runs of neighbouring points: a curve of thousands of steps as a readable line.</summary>
    public static IReadOnlyList<(double X, double Y)> Thin(IReadOnlyList<(double X, double Y)> points, int count)
    {
        if (points.Count <= count)
        {
            return points;
        }

        var thinned = new (double X, double Y)[count];
        for (int i = 0; i < count; i++)
        {
            int start = (int)((long)i * points.Count / count);
            int end = (int)((long)(i + 1) * points.Count / count);
            double xSum = 0, ySum = 0;
            for (int j = start; j < end; j++)
            {
                xSum += points[j].X;
                ySum += points[j].Y;
            }

            thinned[i] = (xSum / (end - start), ySum / (end - start));
        }

        return thinned;
    }

    private static void Axes(HtmlText page, ChartScale x, ChartScale y, string xLabel)
    {
        foreach (double tick in y.Ticks)
        {
            string at = HtmlText.Format(y.Position(tick), "0.#");
            page.Markup($"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{at}\" y2=\"{at}\"/>");
            page.Markup($"<text class=\"tick\" text-anchor=\"end\" x=\"{Left - 6}\" y=\"{at}\" dy=\"4\">").Text(ChartScale.Label(tick)).Markup("</text>\n");
        }

        foreach (double tick in x.Ticks)
        {
            string at = HtmlText.Format(x.Position(tick), "0.#");
            page.Markup($"<text class=\"tick\" text-anchor=\"middle\" x=\"{at}\" y=\"{Height - Bottom + 16}\">").Text(ChartScale.Label(tick)).Markup("</text>\n");
        }

        page.Markup($"<text class=\"tick\" text-anchor=\"end\" x=\"{Width - Right}\" y=\"{Height - 6}\">").Text(xLabel).Markup("</text>\n");
    }
}
