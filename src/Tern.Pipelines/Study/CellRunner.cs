using System.Diagnostics;
using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using Tern.Compute;
using Tern.Compute.Counting;
using Tern.Model;
using Tern.Training;
using Tern.Training.Planning;

namespace Tern.Pipelines.Study;

/// <summary>What a cell will do, before it does it.</summary>
public sealed record CellPlan(StudyCell Cell, int StepCount, int BatchSize, double FlopsPerStep, MemoryPlan Memory)
{
    public double Flops => StepCount * FlopsPerStep;
}

/// <summary>Trains and evaluates one cell, from where an earlier run left it.</summary>
internal sealed class CellRunner(StudyPlan plan, StudyPaths paths, StudyData data, int threads)
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(10);

    public CellPlan Plan(StudyCell cell)
    {
        TrainingSet set = data.TrainingSet(cell.Seed);
        TrainingOptions options = CellNetwork.Options(plan, cell, set.ExampleCount, 1);
        (int steps, double perStep) = FlopPlan.Within(plan.BudgetFlops, Weights(cell), CellNetwork.Contract(plan, cell), set, options);
        options = CellNetwork.Options(plan, cell, set.ExampleCount, steps);
        return new CellPlan(cell, steps, options.BatchSize, perStep, MemoryPlan.Of(Weights(cell), CellNetwork.Contract(plan, cell), set, options, threadCount: threads));
    }

    /// <summary>The record of a cell that is finished and was made from what the plan and the data are now; otherwise null.</summary>
    public CellRecord? Finished(StudyCell cell)
    {
        string path = paths.Record(cell);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            CellRecord? record = JsonSerializer.Deserialize(File.ReadAllText(path), StudyJsonContext.Default.CellRecord);
            return record?.Inputs == Inputs(cell) ? record : null;
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path}: not a cell's record: {error.Message}; delete it and run the cell again", error);
        }
    }

    /// <exception cref="OperationCanceledException">Cancelled; a checkpoint was written, and the next call goes on from it.</exception>
    public CellRecord Run(StudyCell cell, IStudyObserver observer, CancellationToken cancellation)
    {
        string inputs = Inputs(cell);
        TrainingSet set = data.TrainingSet(cell.Seed);
        observer.Working(cell, "planning");
        CellPlan cellPlan = Plan(cell);
        string checkpoints = Path.Combine(paths.Checkpoints(cell), inputs[..12]);
        using IBackend cpu = Backends.Create("cpu", threads);
        using FlopCountingBackend backend = new(cpu);
        double flops, loss, seconds = Seconds(cell);
        using (RetrieverNetwork network = new(backend, CellNetwork.Weights(backend, data, cell), CellNetwork.Contract(plan, cell)))
        {
            TrainingOptions options = CellNetwork.Options(plan, cell, set.ExampleCount, cellPlan.StepCount) with { CheckpointDirectory = checkpoints };
            using RetrieverTrainer trainer = new(backend, network, set, options);
            double before = 0;
            if (Directory.Exists(checkpoints) && Directory.GetDirectories(checkpoints, "checkpoint-*").Length > 0)
            {
                trainer.Resume(checkpoints);

                // Deterministic batches: what was trained before is counted again rather than remembered.
                before = FlopPlan.Count(Weights(cell), CellNetwork.Contract(plan, cell), set, options, 1, trainer.Step);
            }

            backend.Counts.Clear();
            var watch = Stopwatch.StartNew();
            TimeSpan saved = TimeSpan.Zero;
            TrainingResult result = trainer.Run(new Reporter(progress =>
            {
                observer.Trained(cell, progress);
                if (watch.Elapsed - saved > ProgressInterval)
                {
                    saved = watch.Elapsed;
                    SaveSeconds(cell, seconds + saved.TotalSeconds);
                }
            }), cancellation);
            seconds += watch.Elapsed.TotalSeconds;
            SaveSeconds(cell, seconds);
            if (result.Stopped)
            {
                throw new OperationCanceledException(cancellation);
            }

            flops = before + backend.Counts.Total;
            loss = result.History.TakeLast(Math.Max(1, cellPlan.StepCount / 20)).Average(s => s.Loss);
            network.Save(paths.Model(cell));
            File.Copy(paths.Tokenizer, Path.Combine(paths.Model(cell), Path.GetFileName(paths.Tokenizer)), overwrite: true);
        }

        List<CellMeasures> measures = [];
        using (var model = new RetrieverModel(RetrieverNetwork.Load(cpu, paths.Model(cell)), data.Tokenizer, new ModelOptions { Threads = threads }))
        {
            foreach (StudyCollection collection in plan.Evaluate)
            {
                cancellation.ThrowIfCancellationRequested();
                observer.Working(cell, $"evaluating on {collection.Name}");
                measures.Add(CellEvaluation.Run(plan, paths, cell, model, data.Collection(collection), threads, cancellation));
            }
        }

        var record = new CellRecord
        {
            Cell = cell.Name,
            Size = cell.Size.Name,
            Type = cell.Type,
            Objective = cell.Objective.Name,
            Seed = cell.Seed,
            Inputs = inputs,
            NonEmbeddingParameters = cell.Size.NonEmbeddingParameters,
            BudgetFlops = plan.BudgetFlops,
            TrainingFlops = flops,
            StepCount = cellPlan.StepCount,
            BatchSize = cellPlan.BatchSize,
            FinalLoss = loss,
            TrainingSeconds = Math.Round(seconds, 1),
            Tern = typeof(RetrieverModel).Assembly.GetName().Version!.ToString(3),
            Machine = StudyMachine.Describe(threads),
            Measures = measures,
        };
        ResultsText.Save(paths.Record(cell), JsonSerializer.Serialize(record, StudyJsonContext.Default.CellRecord) + "\n");
        File.Delete(paths.Failure(cell));
        Directory.Delete(paths.Checkpoints(cell), recursive: true);
        return record;
    }

    /// <summary>Hash of what the cell's numbers depend on; where files lie does not matter.</summary>
    private string Inputs(StudyCell cell)
    {
        StudyPlan own = plan with
        {
            Name = "",
            Train = plan.Train with { Directory = "" },
            Teacher = "",
            Evaluate = [.. plan.Evaluate.Select(e => e with { Directory = "" })],
            Sizes = [cell.Size],
            Types = [cell.Type],
            Objectives = [cell.Objective],
            Seeds = [cell.Seed],
        };
        string text = data.Fingerprint + JsonSerializer.Serialize(own, StudyJsonContext.Default.StudyPlan);
        return Convert.ToHexStringLower(XxHash128.Hash(Encoding.UTF8.GetBytes(text)));
    }

    private Func<IBackend, LlamaWeights> Weights(StudyCell cell) => backend => CellNetwork.Weights(backend, data, cell);

    private double Seconds(StudyCell cell) => File.Exists(paths.Progress(cell))
        ? JsonSerializer.Deserialize(File.ReadAllText(paths.Progress(cell)), StudyJsonContext.Default.CellProgress)?.TrainingSeconds ?? 0
        : 0;

    private void SaveSeconds(StudyCell cell, double seconds) =>
        ResultsText.Save(paths.Progress(cell), JsonSerializer.Serialize(new CellProgress(Math.Round(seconds, 1)), StudyJsonContext.Default.CellProgress));

    private sealed class Reporter(Action<TrainingProgress> report) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => report(value);
    }
}
