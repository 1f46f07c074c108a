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
        TrainingSet set = data.TrainingSet(cell);
        TrainingOptions options = CellNetwork.Options(plan, cell, set.ExampleCount, 1);
        (int steps, double perStep) = FlopPlan.Within(plan.BudgetFlops, Weights(cell), CellNetwork.Contract(plan, cell), set, options);
        options = CellNetwork.Options(plan, cell, set.ExampleCount, steps);
        return new CellPlan(cell, steps, options.BatchSize, perStep, MemoryPlan.Of(Weights(cell), CellNetwork.Contract(plan, cell), set, options, threadCount: threads));
    }

    /// <summary>What a cell's record says, whatever data it was made from; null where there is none of this plan's. Reads no collection.</summary>
    /// <exception cref="InvalidDataException">The file is no record.</exception>
    public CellRecord? Recorded(StudyCell cell)
    {
        string path = paths.Record(cell);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            CellRecord? record = JsonSerializer.Deserialize(File.ReadAllText(path), StudyJsonContext.Default.CellRecord);
            return record?.Plan == PlanHash(cell) ? record : null;
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path}: not a cell's record of this version: {error.Message}; {StartAnew(cell)}", error);
        }
    }

    /// <summary>The record of a cell that is finished and was made from what the plan and the data are now; otherwise null.</summary>
    public CellRecord? Finished(StudyCell cell) => Recorded(cell) is { } record && record.Data == data.Fingerprint && plan.Evaluate.All(c => Measured(record, c) is not null)
        ? record with { Measures = [.. plan.Evaluate.Select(c => Measured(record, c)!)] }
        : null;

    /// <exception cref="OperationCanceledException">Cancelled; a checkpoint was written, and the next call goes on from it.</exception>
    public CellRecord Run(StudyCell cell, IStudyObserver observer, CancellationToken cancellation)
    {
        CellRecord record = Recorded(cell) is { } earlier && earlier.Data == data.Fingerprint && Directory.Exists(paths.Model(cell)) ? earlier : Train(cell, observer, cancellation);
        using IBackend backend = Backends.Create("cpu", threads);
        using (var model = new RetrieverModel(RetrieverNetwork.Load(backend, paths.Model(cell)), data.Tokenizer, new ModelOptions { Threads = threads }))
        {
            foreach (StudyCollection collection in plan.Evaluate.Where(c => Measured(record, c) is null))
            {
                cancellation.ThrowIfCancellationRequested();
                observer.Working(cell, $"evaluating on {collection.Name}");
                CellMeasures measures = CellEvaluation.Run(plan, paths, cell, model, data.Collection(collection), threads, cancellation);
                record = record with { Measures = [.. record.Measures.Where(m => m.Collection != collection.Name), measures] };
                Save(cell, record);
            }
        }

        return Finished(cell) ?? throw new InvalidDataException($"{paths.Record(cell)}: the collections changed while the cell was measured; run it again");
    }

    private CellMeasures? Measured(CellRecord record, StudyCollection collection) =>
        record.Measures.FirstOrDefault(m => m.Collection == collection.Name && m.Data == CellEvaluation.Data(plan, data.Collection(collection)));

    /// <summary>Trains, saves the model, and leaves a record without measures.</summary>
    private CellRecord Train(StudyCell cell, IStudyObserver observer, CancellationToken cancellation)
    {
        TrainingSet set = data.TrainingSet(cell);
        observer.Working(cell, "planning");
        CellPlan cellPlan = Plan(cell);
        string planHash = PlanHash(cell);
        string checkpoints = Path.Combine(paths.Checkpoints(cell), Hash(data.Fingerprint + planHash)[..12]);
        using IBackend cpu = Backends.Create("cpu", threads);
        using FlopCountingBackend backend = new(cpu);
        using RetrieverNetwork network = new(backend, CellNetwork.Weights(backend, data, cell), CellNetwork.Contract(plan, cell));
        TrainingOptions options = CellNetwork.Options(plan, cell, set.ExampleCount, cellPlan.StepCount) with { CheckpointDirectory = checkpoints };
        using RetrieverTrainer trainer = new(backend, network, set, options);
        double before = 0, seconds = 0;
        if (Directory.Exists(checkpoints) && Directory.GetDirectories(checkpoints, "checkpoint-*").Length > 0)
        {
            Resume(cell, trainer, checkpoints);
            observer.Resumed(cell, trainer.Step, cellPlan.StepCount);
            seconds = Seconds(cell);

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

        network.Save(paths.Model(cell));
        File.Copy(paths.Tokenizer, Path.Combine(paths.Model(cell), Path.GetFileName(paths.Tokenizer)), overwrite: true);
        var record = new CellRecord
        {
            Cell = cell.Name,
            Size = cell.Size.Name,
            Type = cell.Type,
            Objective = cell.Objective.Name,
            Seed = cell.Seed,
            WrongPositiveShare = cell.Errors.WrongPositiveShare,
            TeacherNoise = cell.Errors.TeacherNoise,
            Plan = planHash,
            Data = data.Fingerprint,
            NonEmbeddingParameters = cell.Size.NonEmbeddingParameters,
            BudgetFlops = plan.BudgetFlops,
            TrainingFlops = before + backend.Counts.Total,
            StepCount = cellPlan.StepCount,
            BatchSize = cellPlan.BatchSize,
            FinalLoss = result.History.TakeLast(Math.Max(1, cellPlan.StepCount / 20)).Average(s => s.Loss),
            TrainingSeconds = Math.Round(seconds, 1),
            Tern = typeof(RetrieverModel).Assembly.GetName().Version!.ToString(3),
            Machine = StudyMachine.Describe(threads),
            Measures = [],
        };
        Save(cell, record);
        Directory.Delete(paths.Checkpoints(cell), recursive: true);
        return record;
    }

    /// <summary>A checkpoint that an earlier version of the program left, or that is damaged, is not thrown away unasked: it may be hours of work.</summary>
    private static void Resume(StudyCell cell, RetrieverTrainer trainer, string checkpoints)
    {
        try
        {
            trainer.Resume(checkpoints);
        }
        catch (Exception error) when (error is InvalidDataException or FileNotFoundException)
        {
            throw new InvalidDataException($"its checkpoint cannot be gone on with, as one of another version of the program cannot ({error.Message.Split(';')[0]}); {StartAnew(cell)}", error);
        }
    }

    private static string StartAnew(StudyCell cell) => $"--restart {cell.Name} trains the cell anew";

    private void Save(StudyCell cell, CellRecord record) => ResultsText.Save(paths.Record(cell), JsonSerializer.Serialize(record, StudyJsonContext.Default.CellRecord) + "\n");

    /// <summary>Hash of what in the plan the cell's training depends on: where files lie, what is evaluated on and other cells do not matter.</summary>
    private string PlanHash(StudyCell cell)
    {
        StudyPlan own = plan with
        {
            Name = "",
            Train = plan.Train with { Directory = "" },
            Teacher = "",
            Evaluate = [],
            Sizes = [cell.Size],
            Types = [cell.Type],
            Objectives = [cell.Objective],
            Seeds = [cell.Seed],
            Robustness = null,
            SearchDepth = 0,
        };

        // The hardest objective decides which queries are left out for all.
        return Hash(FormattableString.Invariant($"{JsonSerializer.Serialize(own, StudyJsonContext.Default.StudyPlan)}{plan.Objectives.Max(o => o.NegativeCount)}{cell.Errors.Suffix}"));
    }

    private static string Hash(string text) => Convert.ToHexStringLower(XxHash128.Hash(Encoding.UTF8.GetBytes(text)));

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
