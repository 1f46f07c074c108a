using System.IO.Hashing;
using System.Text;
using Tern.Model;
using Tern.Pipelines.Demo.Stages;

namespace Tern.Pipelines.Demo;

/// <summary>
/// Runs the demo's stages in order over one output directory. A stage that an earlier run finished from the same inputs
/// is not run again, so an interrupted demo goes on where it was, and one that is complete does nothing.
/// </summary>
public static class DemoPipeline
{
    /// <exception cref="OperationCanceledException">Cancelled; what was done is kept and the next run goes on from it.</exception>
    public static DemoReport Run(DemoOptions options, IDemoObserver observer, CancellationToken cancellation = default)
    {
        var context = new DemoContext(options, observer);
        if (options.Fresh)
        {
            Clear(context.Paths);
        }

        RunStages(AllStages(), context, cancellation);
        return ReportStage.Assemble(context);
    }

    /// <summary>In the order in which they run; each reads only what stages above it wrote.</summary>
    private static IReadOnlyList<DemoStage> AllStages() =>
    [
        new CollectionStage(),
        new TokenizerStage(),
        new Bm25Stage(),
        new ExamplesStage(),
        new BudgetStage(),
        new TrainingStage(RepresentationKind.Sparse),
        new TrainingStage(RepresentationKind.Dense),
        new IndexStage(RepresentationKind.Sparse),
        new IndexStage(RepresentationKind.Dense),
        new SearchStage(RepresentationKind.Sparse),
        new SearchStage(RepresentationKind.Dense),
        new HybridStage(),
        new AblationStage(RepresentationKind.Sparse),
        new AblationStage(RepresentationKind.Dense),
        new EvaluationStage(),
        new ExplainStage(),
        new ReportStage(),
    ];

    internal static void RunStages(IReadOnlyList<DemoStage> stages, DemoContext context, CancellationToken cancellation)
    {
        Directory.CreateDirectory(context.Paths.State);
        Directory.CreateDirectory(context.Paths.Details);
        foreach (DemoStage stage in stages)
        {
            cancellation.ThrowIfCancellationRequested();
            string fingerprint = Fingerprint(stage, context);
            string recordPath = Path.Combine(context.Paths.State, stage.Name + ".json");
            if (Finished(stage, context, recordPath, fingerprint) is { } earlier)
            {
                context.Add(stage.Name, earlier);
                context.Observer.StageFinished(stage.Name, stage.Title, earlier.Summary, earlier.Seconds, reused: true);
                continue;
            }

            File.Delete(recordPath);
            context.Observer.StageStarted(stage.Name, stage.Title);
            context.CurrentFingerprint = fingerprint;
            var time = new StageTime(Path.Combine(context.Paths.State, stage.Name + ".interrupted.json"), fingerprint);
            StageOutcome outcome = time.Measure(() => stage.Run(context, cancellation));
            var record = new StageRecord(fingerprint, time.Seconds, outcome.Summary, DemoContext.ToFigures(outcome.Figures));
            ResultsFile.Save(recordPath, record);
            time.Forget();
            context.Add(stage.Name, record);
            context.Observer.StageFinished(stage.Name, stage.Title, record.Summary, record.Seconds, reused: false);
        }
    }

    private static string Fingerprint(DemoStage stage, DemoContext context)
    {
        var text = new StringBuilder(stage.Name).Append('\n').Append(stage.Inputs(context));
        foreach (string before in stage.After)
        {
            text.Append('\n').Append(before).Append(' ').Append(context.Record(before).Fingerprint);
        }

        return Convert.ToHexStringLower(XxHash128.Hash(Encoding.UTF8.GetBytes(text.ToString())));
    }

    private static StageRecord? Finished(DemoStage stage, DemoContext context, string recordPath, string fingerprint)
    {
        if (!File.Exists(recordPath))
        {
            return null;
        }

        StageRecord record = ResultsFile.Load<StageRecord>(recordPath);
        return record.Fingerprint == fingerprint && stage.Outputs(context).All(Path.Exists) ? record : null;
    }

    /// <summary>Deletes what a demo made here and nothing else; where no demo ever ran, folders of the same names are someone else's.</summary>
    private static void Clear(DemoPaths paths)
    {
        if (!Directory.Exists(paths.State))
        {
            return;
        }

        foreach (string directory in new[] { "collection", "documents", "tokenizer", "models", "checkpoints", "index", "runs", "details", "state" })
        {
            string path = Path.Combine(paths.Root, directory);
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }
        }

        foreach (string file in new[] { paths.TrainingExamples, paths.Results, paths.Report })
        {
            File.Delete(file);
        }
    }
}
