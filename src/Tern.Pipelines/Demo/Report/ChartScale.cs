namespace Tern.Pipelines.Demo.Report;

/// <summary>A linear map from values to picture coordinates, with round tick values.</summary>
internal sealed class ChartScale
{
    private readonly double _from;
    private readonly double _to;
    private readonly double _start;
    private readonly double _end;

    private ChartScale(double from, double to, double start, double end, IReadOnlyList<double> ticks)
    {
        _from = from;
        _to = to;
        _start = start;
        _end = end;
        Ticks = ticks;
    }

    public IReadOnlyList<double> Ticks { get; }

    /// <summary>Covers [low, high], widened to whole ticks unless <paramref name="tight"/>; a range of no width gets one.</summary>
    public static ChartScale Spanning(double low, double high, double start, double end, int tickCount, bool tight = false)
    {
        if (!(high > low))
        {
            high = low + 1;
        }

        double step = RoundStep((high - low) / tickCount);
        double from = tight ? low : Math.Floor(low / step) * step;
        double to = tight ? high : Math.Ceiling(high / step) * step;
        var ticks = new List<double>();
        for (int i = (int)Math.Ceiling(from / step - 1e-9); i * step <= to + step * 1e-9; i++)
        {
            ticks.Add(i * step);
        }

        return new ChartScale(from, to, start, end, ticks);
    }

    public double Position(double value) => _start + (value - _from) / (_to - _from) * (_end - _start);

    /// <summary>Short enough for an axis: 12000 is 12k.</summary>
    public static string Label(double value) =>
        Math.Abs(value) >= 10_000 ? HtmlText.Format(value / 1000, "0.#") + "k" : HtmlText.Format(value, "0.###");

    /// <summary>The smallest of 1, 2 or 5 times a power of ten that is at least <paramref name="rough"/>.</summary>
    private static double RoundStep(double rough)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double digit = rough / power;
        return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
    }
}
