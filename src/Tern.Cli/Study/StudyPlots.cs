using System.Globalization;
using ScottPlot;
using Tern.Pipelines.Study;

namespace Tern.Cli;

/// <summary>Draws a study's charts: an SVG for the page and a PNG for slides, of each.</summary>
internal static class StudyPlots
{
    private const int Width = 760, Height = 460;

    // A colour for each objective; the line's pattern tells the types apart.
    private static readonly string[] Colours = ["#1769c0", "#c2570c", "#15803d", "#7c3aed", "#b91c1c"];

    /// <summary>Writes both files into a directory and returns the SVG's markup.</summary>
    public static string Write(StudyChart chart, string directory)
    {
        Directory.CreateDirectory(directory);
        using Plot plot = Draw(chart);
        string svg = Path.Combine(directory, chart.Name + ".svg");
        plot.SaveSvg(svg, Width, Height);
        plot.SavePng(Path.Combine(directory, chart.Name + ".png"), Width, Height);
        string markup = File.ReadAllText(svg);
        return markup[markup.IndexOf("<svg", StringComparison.Ordinal)..];
    }

    private static Plot Draw(StudyChart chart)
    {
        var plot = new Plot();
        string[] objectives = [.. chart.Series.Select(s => s.Name[(s.Name.IndexOf(' ', StringComparison.Ordinal) + 1)..]).Distinct()];
        foreach (ChartSeries series in chart.Series)
        {
            bool sparse = series.Name.StartsWith("sparse", StringComparison.Ordinal);
            int colour = Array.IndexOf(objectives, series.Name[(series.Name.IndexOf(' ', StringComparison.Ordinal) + 1)..]);
            double[] x = [.. series.X.Select(v => Math.Log10(Math.Max(v, 1e-9)))];
            var line = plot.Add.Scatter(x, series.Y.ToArray(), Color.FromHex(Colours[colour % Colours.Length]));
            line.LegendText = series.Name;
            line.LineWidth = 2;
            line.MarkerSize = 7;
            line.LinePattern = sparse ? LinePattern.Solid : LinePattern.Dashed;
            line.MarkerShape = sparse ? MarkerShape.FilledCircle : MarkerShape.OpenSquare;
            for (int i = 0; i < x.Length; i++)
            {
                if (series.High[i] > series.Low[i])
                {
                    plot.Add.Line(x[i], series.Low[i], x[i], series.High[i]).Color = line.Color;
                }
            }
        }

        plot.Title(chart.Title);
        plot.XLabel(chart.XLabel);
        plot.YLabel(chart.YLabel);
        plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic
        {
            LabelFormatter = value => Number(Math.Pow(10, value)),
            MinorTickGenerator = new ScottPlot.TickGenerators.LogMinorTickGenerator(),
        };
        plot.ShowLegend(Edge.Right);
        return plot;
    }

    private static string Number(double value) => value switch
    {
        >= 1e6 => (value / 1e6).ToString("0.##", CultureInfo.InvariantCulture) + " M",
        >= 1e3 => (value / 1e3).ToString("0.##", CultureInfo.InvariantCulture) + " k",
        _ => value.ToString("0.##", CultureInfo.InvariantCulture),
    };
}
