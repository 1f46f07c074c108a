using System.Diagnostics;
using Tern.Compute;
using Tern.Model;
using Tern.Text;
using Tern.Training;

namespace Tern.Pipelines.Demo.Stages;

/// <summary>How many steps each model gets. From here on the clock has no say in the results.</summary>
internal sealed record BudgetFigures(int SparseSteps, int DenseSteps, double SparseStepSeconds, double DenseStepSeconds, double ReservedSeconds);

/// <summary>
/// Times a few real steps and a few batches of encoding with throw-away models, and divides the time that is left.
/// </summary>
internal sealed class BudgetStage() : DemoStage(StageNames.Budget, "Divide the time")
{
    private const int WarmUpSteps = 3;
    private const int TimedSteps = 6;
    private const int WarmUpTexts = 64;
    private const int EncodedSample = 512;

    /// <summary>Bound on timing one model; a tenth of it goes to steps before they stop being timed.</summary>
    private static readonly TimeSpan MeasuringTime = TimeSpan.FromSeconds(40);

    /// <summary>Searching, weighing and evaluating take about this many times what building, tokenizing and BM25 took before, on the SDK collection.</summary>
    private const double ClosingShare = 2;

    public override IReadOnlyList<string> After => [StageNames.Examples];

    public override string Inputs(DemoContext context)
    {
        DemoOptions options = context.Options;
        return FormattableString.Invariant($"{options.Minutes} {options.SparseSteps} {options.DenseSteps} {context.Recipe}");
    }

    public override IReadOnlyList<string> Outputs(DemoContext context) => [];

    public override StageOutcome Run(DemoContext context, CancellationToken cancellation)
    {
        DemoOptions options = context.Options;
        int? sparseAsked = options.SparseSteps ?? (options.Minutes is null ? context.Recipe.Sparse.Steps : null);
        int? denseAsked = options.DenseSteps ?? (options.Minutes is null ? context.Recipe.Dense.Steps : null);
        if (sparseAsked is { } sparseCount && denseAsked is { } denseCount)
        {
            return new StageOutcome($"{sparseCount} sparse and {denseCount} dense steps", new BudgetFigures(sparseCount, denseCount, 0, 0, 0));
        }

        var watch = Stopwatch.StartNew();
        (double sparseStep, double sparseText) = Measure(context, RepresentationKind.Sparse, cancellation);
        (double denseStep, double denseText) = Measure(context, RepresentationKind.Dense, cancellation);
        // Both models encode all documents; the dense ablation does so once more, the sparse one needs no text encoded.
        int documents = context.Collection.Documents.Count;
        double spent = context.Seconds.Values.Sum() + watch.Elapsed.TotalSeconds;
        double reserved = documents * (sparseText + 2 * denseText) + context.Seconds.Values.Sum() * ClosingShare;
        (int sparse, int dense) = TimeDivision.Divide(options.Minutes!.Value * 60, spent, reserved, context.Recipe.SparseShare, sparseStep, denseStep);
        sparse = sparseAsked ?? sparse;
        dense = denseAsked ?? dense;
        return new StageOutcome(
            FormattableString.Invariant($"{sparse:#,0} sparse steps of {1000 * sparseStep:0} ms, {dense:#,0} dense of {1000 * denseStep:0} ms"),
            new BudgetFigures(sparse, dense, sparseStep, denseStep, reserved));
    }

    /// <summary>Seconds of one training step and of encoding one document.</summary>
    private static (double Step, double Text) Measure(DemoContext context, RepresentationKind kind, CancellationToken cancellation)
    {
        using IBackend backend = context.CreateBackend();
        RetrieverNetwork network = context.CreateNetwork(backend, kind);
        using var model = new RetrieverModel(network, context.Tokenizer, new ModelOptions { Threads = context.Threads });
        double step = StepBudget.Measure(backend, network, context.TrainingSet, TrainingStage.Options(context.Recipe, kind, 1, context.TrainingSet.ExampleCount), MeasuringTime, WarmUpSteps, TimedSteps).SecondsPerStep;
        cancellation.ThrowIfCancellationRequested();

        Document[] sample = [.. context.Collection.Documents.Take(EncodedSample)];
        Encode(sample[..Math.Min(WarmUpTexts, sample.Length)]);
        var watch = Stopwatch.StartNew();
        Encode(sample);
        return (step, watch.Elapsed.TotalSeconds / sample.Length);

        void Encode(Document[] documents)
        {
            if (kind == RepresentationKind.Sparse)
            {
                model.EncodeSparseDocuments(documents, (_, _) => { }, cancellation);
            }
            else
            {
                model.EncodeDenseDocuments(documents, (_, _) => { }, cancellation);
            }
        }
    }
}
