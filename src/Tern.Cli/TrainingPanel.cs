using Spectre.Console;
using Spectre.Console.Rendering;
using Tern.Model;
using Tern.Training;

namespace Tern.Cli;

/// <summary>The live view of a training run: where it stands, what the loss did so far, how sparse the vectors are.</summary>
internal sealed class TrainingPanel(RepresentationKind? kind)
{
    private const int BarWidth = 40;
    private const int SparklineWidth = 40;
    private const double Smoothing = 0.9;

    private readonly List<double> _losses = [];
    private TrainingProgress _last;
    private TrainingStep _heldOut;
    private double _smoothedSpeed;

    public void Add(TrainingProgress progress)
    {
        _last = progress;
        _heldOut = progress.Current.HeldOutLoss is null ? _heldOut : progress.Current;
        _losses.Add(progress.Current.Loss);
        _smoothedSpeed = _smoothedSpeed == 0 ? progress.TokensPerSecond : (Smoothing * _smoothedSpeed) + ((1 - Smoothing) * progress.TokensPerSecond);
    }

    public IRenderable Render()
    {
        TrainingStep step = _last.Current;
        var grid = new Grid().AddColumn().AddColumn();
        double share = _last.StepCount == 0 ? 0 : (double)step.Step / _last.StepCount;
        grid.AddRow("step", $"{TermBars.Bar(share, BarWidth).PadRight(BarWidth)} {step.Step}/{_last.StepCount}");
        grid.AddRow("loss", Invariant($"{Recent():0.0000}  ") + Sparkline());
        if (kind == RepresentationKind.Sparse)
        {
            grid.AddRow("non-zeros", Invariant($"query {step.QueryNonZeros:0}  document {step.DocumentNonZeros:0}"));
        }

        if (kind is null)
        {
            grid.AddRow("accuracy", Invariant($"{step.Accuracy:0.0000}  perplexity {Math.Exp(Recent()):0.00}"));
            if (_heldOut.HeldOutLoss is { } heldOut)
            {
                grid.AddRow("held out", Invariant($"accuracy {_heldOut.HeldOutAccuracy:0.0000}  perplexity {Math.Exp(heldOut):0.00}, step {_heldOut.Step}"));
            }
        }

        grid.AddRow("speed", Invariant($"{_smoothedSpeed:#,0} tokens/s"));
        grid.AddRow("lr", Invariant($"{step.LearningRate:0.00e+0}  gradient {step.GradientNorm:0.000}"));
        grid.AddRow("time", $"{Clock(_last.Elapsed)} gone, {Clock(_last.Remaining)} to go");
        return new Panel(grid) { Header = new PanelHeader($" {kind?.ToString().ToLowerInvariant() ?? "masked next-token prediction"} · Ctrl-C saves "), Border = BoxBorder.Rounded };
    }

    public static string Clock(TimeSpan time) => Invariant($"{(int)time.TotalMinutes}:{time.Seconds:00}");

    private double Recent() => _losses.Count == 0 ? 0 : _losses.Skip(Math.Max(0, _losses.Count - 10)).Average();

    /// <summary>Means of equal parts of the run so far, from its lowest to its highest.</summary>
    private string Sparkline()
    {
        const string Levels = "▁▂▃▄▅▆▇█";
        int width = Math.Min(SparklineWidth, _losses.Count);
        double[] means = [.. Enumerable.Range(0, width).Select(i => _losses.Skip(i * _losses.Count / width).Take(((i + 1) * _losses.Count / width) - (i * _losses.Count / width)).Average())];
        double low = means.DefaultIfEmpty().Min();
        double range = Math.Max(means.DefaultIfEmpty().Max() - low, 1e-12);
        return string.Concat(means.Select(m => Levels[(int)((Levels.Length - 1) * (m - low) / range)]));
    }
}
