using System.Globalization;
using System.Text.RegularExpressions;
using ScottPlot;
using ScottPlot.TickGenerators;
using Tern.Pipelines.Study;

namespace Tern.Cli;

/// <summary>Draws a study's charts: an SVG for the page, whose heading is the title, and a PNG with its title for slides, of each.</summary>
internal static partial class StudyPlots
{
    private const int Width = 760, Height = 420;

    // A colour for each objective; pattern and marker tell the types apart.
    private static readonly string[] Colours = ["#1769c0", "#c2570c", "#15803d", "#7c3aed", "#b91c1c"];

    /// <summary>Writes both files into a directory and returns the SVG's markup.</summary>
    public static string Write(StudyChart chart, string directory)
    {
        Directory.CreateDirectory(directory);
        using Plot plot = Draw(chart);
        string svg = Path.Combine(directory, chart.Name + ".svg");
        plot.SaveSvg(svg, Width, Height);
        plot.Title(chart.Title, size: 14);
        plot.SavePng(Path.Combine(directory, chart.Name + ".png"), Width, Height);
        string markup = File.ReadAllText(svg);

        // With a view box it takes the width of the page; and the page's reader may lack the font of this machine.
        markup = markup[markup.IndexOf("<svg", StringComparison.Ordinal)..].Replace("<svg ", Invariant($"<svg viewBox=\"0 0 {Width} {Height}\" "), StringComparison.Ordinal);
        return FontFamily().Replace(markup, "font-family=\"$1, Verdana, sans-serif\"");
    }

    private static Plot Draw(StudyChart chart)
    {
        var plot = new Plot();
        foreach (ChartSeries series in chart.Series)
        {
            bool sparse = series.Type == "sparse";
            double[] x = [.. series.X.Select(v => Place(chart, v))];
            var line = plot.Add.Scatter(x, series.Y.ToArray(), Color.FromHex(Colours[series.ObjectiveNumber % Colours.Length]));
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

        plot.XLabel(chart.XLabel);
        plot.YLabel(chart.YLabel);
        SetTicks(plot, chart);
        plot.Font.Set(Fonts.Sans);
        plot.ShowLegend(Edge.Right);
        return plot;
    }

    /// <summary>ScottPlot's axes are linear: a logarithmic one holds logarithms.</summary>
    private static double Place(StudyChart chart, double x) => chart.XIsLogarithmic ? Math.Log10(Math.Max(x, 1e-9)) : x;

    private static void SetTicks(Plot plot, StudyChart chart)
    {
        double[] all = [.. chart.Series.SelectMany(s => s.X).Where(v => v > 0)];
        if (chart.XIsLogarithmic && all.Length > 0)
        {
            // A little beyond the points, so that none lies on the frame.
            double low = all.Min() * 0.8, high = all.Max() * 1.25;
            var ticks = new NumericManual();
            foreach (double tick in LogarithmicTicks.Between(low, high))
            {
                ticks.AddMajor(Math.Log10(tick), LogarithmicTicks.Label(tick));
            }

            plot.Axes.Bottom.TickGenerator = ticks;
            plot.Axes.SetLimitsX(Math.Log10(low), Math.Log10(high));
        }

        plot.Axes.Left.TickGenerator = new NumericAutomatic { LabelFormatter = value => value.ToString("0.00#", CultureInfo.InvariantCulture) };
    }

    [GeneratedRegex("font-family=\"([^\"]*)\"")]
    private static partial Regex FontFamily();
}
