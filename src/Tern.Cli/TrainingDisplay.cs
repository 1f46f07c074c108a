using System.Diagnostics;
using Spectre.Console;
using Tern.Model;
using Tern.Training;

namespace Tern.Cli;

/// <summary>Shows a run while it trains: a panel on a terminal, a line every few steps elsewhere, or JSON for every step.</summary>
internal static class TrainingDisplay
{
    private const int MillisecondsBetweenFrames = 100;

    public static TrainingResult Show(Terminal terminal, bool json, int stepsBetweenLines, RepresentationKind? kind, Func<IProgress<TrainingProgress>, TrainingResult> run)
    {
        if (json)
        {
            return run(new Sink(progress => WriteJson(terminal, progress)));
        }

        if (!terminal.ErrorIsTerminal)
        {
            return run(new Sink(progress => WriteLine(terminal, progress, stepsBetweenLines, kind)));
        }

        var panel = new TrainingPanel(kind);
        return terminal.ErrorConsole.Live(panel.Render()).Start(live =>
        {
            var sinceFrame = Stopwatch.StartNew();
            TrainingResult result = run(new Sink(progress =>
            {
                panel.Add(progress);
                if (sinceFrame.ElapsedMilliseconds >= MillisecondsBetweenFrames || progress.Current.Step == progress.StepCount)
                {
                    sinceFrame.Restart();
                    live.UpdateTarget(panel.Render());
                }
            }));
            live.UpdateTarget(panel.Render());
            return result;
        });
    }

    private static void WriteLine(Terminal terminal, TrainingProgress progress, int stepsBetweenLines, RepresentationKind? kind)
    {
        TrainingStep step = progress.Current;
        if (step.Step % stepsBetweenLines != 0 && step.Step != progress.StepCount && step.HeldOutLoss is null)
        {
            return;
        }

        string details = kind switch
        {
            RepresentationKind.Sparse => Invariant($"  nnz {step.QueryNonZeros:0}/{step.DocumentNonZeros:0}"),
            null => Invariant($"  perplexity {Math.Exp(step.Loss):0.00}  accuracy {step.Accuracy:0.0000}") + HeldOut(step),
            _ => "",
        };
        terminal.Out.WriteLine(Invariant($"step {step.Step}/{progress.StepCount}  loss {step.Loss:0.0000}{details}  lr {step.LearningRate:0.00e+0}  {progress.TokensPerSecond:0} tokens/s  {TrainingPanel.Clock(progress.Remaining)} to go"));
    }

    private static string HeldOut(TrainingStep step) => step.HeldOutLoss is { } loss ? Invariant($"  held out: perplexity {Math.Exp(loss):0.00} accuracy {step.HeldOutAccuracy:0.0000}") : "";

    private static void WriteJson(Terminal terminal, TrainingProgress progress) => JsonOutput.Write(terminal.Out, json =>
    {
        TrainingStep step = progress.Current;
        json.WriteNumber("step", step.Step);
        json.WriteNumber("steps", progress.StepCount);
        json.WriteNumber("loss", step.Loss);
        json.WriteNumber("infonce", step.InfoNce);
        json.WriteNumber("kl", step.KlDivergence);
        json.WriteNumber("margin_mse", step.MarginMse);
        json.WriteNumber("query_flops", step.QueryFlops);
        json.WriteNumber("document_flops", step.DocumentFlops);
        json.WriteNumber("query_flops_weight", step.QueryFlopsWeight);
        json.WriteNumber("document_flops_weight", step.DocumentFlopsWeight);
        json.WriteNumber("query_non_zeros", step.QueryNonZeros);
        json.WriteNumber("document_non_zeros", step.DocumentNonZeros);
        json.WriteNumber("accuracy", step.Accuracy);
        if (step.HeldOutLoss is { } heldOut)
        {
            json.WriteNumber("held_out_loss", heldOut);
            json.WriteNumber("held_out_accuracy", step.HeldOutAccuracy!.Value);
        }

        json.WriteNumber("learning_rate", step.LearningRate);
        json.WriteNumber("gradient_norm", step.GradientNorm);
        json.WriteNumber("tokens", step.TokenCount);
        json.WriteNumber("tokens_per_second", Math.Round(progress.TokensPerSecond, 1));
        json.WriteNumber("seconds", Math.Round(progress.Elapsed.TotalSeconds, 3));
    });

    // Progress<T> would post to the thread pool; a run reports on its own thread.
    private sealed class Sink(Action<TrainingProgress> report) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => report(value);
    }
}
