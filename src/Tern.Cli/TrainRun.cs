using System.CommandLine;
using Tern.Compute;
using Tern.Compute.Collectives;
using Tern.Compute.Cpu;
using Tern.Compute.Memory;
using Tern.Model;
using Tern.Pipelines.Teaching;
using Tern.Text;
using Tern.Training;
using Tern.Training.Planning;

namespace Tern.Cli;

/// <summary>One training run from its flags to its model directory. Nothing is written before all input was read.</summary>
internal sealed class TrainRun(Terminal terminal, Command command, TrainFlags flags)
{
    private const int GoldenTextsPerSide = 2;

    public int Execute(ParseResult parsed, CancellationToken cancellationToken)
    {
        parsed = RunFile.Expand(command, flags, parsed);
        if (parsed.GetValue(flags.DryRun) && parsed.GetValue(flags.Preset) is { } preset && parsed.GetValue(flags.Model) is null)
        {
            DryRun.Preset(terminal, PaperPreset.All[preset], flags.Compute.Read(parsed), parsed.GetResult(flags.Ranks.Count) is { Implicit: false } ? parsed.GetValue(flags.Ranks.Count) : null);
            return ExitCode.Ok;
        }

        string output = parsed.GetRequiredValue(flags.Output);
        bool resume = parsed.GetValue(flags.Resume);
        RunRecord? record = resume ? FindRun(output) : null;
        ParseResult given = parsed;
        if (record is not null && parsed.GetValue(flags.Data) is null && parsed.GetValue(flags.Train) is null)
        {
            parsed = command.Parse([.. record.Arguments]);
        }

        flags.Validate(parsed);
        return RankLaunch.Run(given, parsed, flags.Ranks, rank =>
        {
            if (rank.IsFirst && !resume && !parsed.GetValue(flags.DryRun) && Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any())
            {
                throw new UsageException($"--output {output}: the directory is not empty; give --resume to go on with the run in it, or choose another");
            }

            return RunRank(parsed, record, resume, rank, cancellationToken);
        });
    }

    private int RunRank(ParseResult parsed, RunRecord? record, bool resume, RankLaunch.Rank rank, CancellationToken cancellationToken)
    {
        string output = parsed.GetRequiredValue(flags.Output);
        TrainingInput input = parsed.GetValue(flags.Data) is { } data
            ? TrainingInput.OfDirectory(data)
            : TrainingInput.OfFile(parsed.GetValue(flags.Train)!, parsed.GetValue(flags.Corpus)!);
        ModelOptions compute = flags.Compute.Read(parsed);
        using IBackend backend = Backends.Create(compute.Backend, rank.ThreadCount(compute.Threads), compute.Precision ?? ProductPrecision.Float32);
        ICollective? ranks = rank.Join(backend);
        using TrainingStart start = resume
            ? TrainingStart.FromCheckpoint(backend, TrainingStart.LatestCheckpoint(output))
            : parsed.GetValue(flags.Model) is { } model ? TrainingStart.FromModel(backend, model, flags, parsed) : TrainingStart.FromNothing(backend, input.CorpusPath, flags, parsed);
        if (!resume && parsed.GetValue(flags.Steps) == 0 && !parsed.GetValue(flags.DryRun))
        {
            return rank.IsFirst ? SaveStart(output, start, input) : ExitCode.Ok;
        }

        bool isReranker = start.Network.Contract.PairTemplate.Length > 0;
        TrainingOptions options = (isReranker ? flags.ReadReranker(parsed) : flags.Read(parsed, start.Network.Contract.Kind)) with { CheckpointFiles = [start.TokenizerPath] };
        TrainingSet set = isReranker ? ReadPairs(parsed, input, start, options) : ReadSet(input, start);
        (options, MemoryPlan plan) = Plan(parsed, record, backend, start.Network, set, options, rank.Count);
        if (parsed.GetValue(flags.DryRun))
        {
            if (rank.IsFirst)
            {
                DryRun.Run(terminal, backend, start.Network, set, options, plan, parsed.GetValue(flags.Steps), rank.Count);
            }

            return ExitCode.Ok;
        }

        options = options with { StepCount = record?.Steps ?? parsed.GetValue(flags.Steps) ?? CountSteps(backend, start.Network, set, options, parsed.GetValue(flags.Minutes)!.Value, ranks) };
        if (!resume)
        {
            AddGolden(start, input);
        }

        // Ranks would time each other.
        TimePlan? time = resume || ranks is not null ? null : TimePlan.Measure(backend, start.Network, set, options);
        using var trainer = new RetrieverTrainer(backend, start.Network, set, options, ranks);
        if (resume)
        {
            trainer.Resume(output);
        }

        if (!rank.IsFirst)
        {
            return trainer.Run(cancellationToken: cancellationToken).Stopped ? ExitCode.Interrupted : ExitCode.Ok;
        }

        RunRecord written = new(record?.Arguments ?? ArgumentsOf(flags, parsed), options.StepCount, set.Fingerprint, typeof(TrainRun).Assembly.GetName().Version!.ToString(3))
        {
            GradCacheChunk = options.GradCacheChunk,
            ActivationCheckpointing = options.RecomputeActivations,
            PlannedBytes = plan.Total,
            PlannedSeconds = time?.Seconds ?? record?.PlannedSeconds ?? 0,
            Ranks = rank.Count,
            Inputs = record?.Inputs is { Count: > 0 } known ? known : [.. FileStamp.OfAll([parsed.GetValue(flags.Data), parsed.GetValue(flags.Train), parsed.GetValue(flags.Corpus), parsed.GetValue(flags.Tokenizer)]), .. FileStamp.OfModel(parsed.GetValue(flags.Model))],
            Machine = MachineStamp.Here(backend),
        };
        written.Save(output);
        if (!parsed.GetValue(flags.Json))
        {
            terminal.Out.WriteLine(plan);
            if (time is not null)
            {
                terminal.Out.WriteLine(time);
            }
        }

        using var events = new TensorBoardEvents(Path.Combine(output, "tensorboard"), static () => (DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).TotalSeconds);
        TrainingResult result = TrainingDisplay.Show(terminal, parsed.GetValue(flags.Json), parsed.GetValue(flags.LogSteps), start.Network.Contract.Kind, progress => trainer.Run(new EventSink(events, progress), cancellationToken));
        TrainingTable.Write(Path.Combine(output, TrainingTable.FileName), result.History);
        if (result.Stopped)
        {
            terminal.Error.WriteLine($"stopped after step {result.Step} of {options.StepCount}; saved {result.Checkpoint}; go on with: tern train --output {Quoted(output)} --resume");
            return ExitCode.Interrupted;
        }

        start.Network.Save(output);
        File.Copy(start.TokenizerPath, Path.Combine(output, "tokenizer.json"), overwrite: true);
        (written with { PeakBytes = backend is IMeteredBackend meter ? meter.TensorMemory.PeakByteCount + meter.Workspace.PeakByteCount : 0, Seconds = Math.Round(result.Elapsed.TotalSeconds, 3), FinalLoss = result.History[^1].Loss, Weights = start.Network.Contract.Fingerprint }).Save(output);
        if (!parsed.GetValue(flags.Json))
        {
            terminal.Out.WriteLine(Invariant($"{output}: {(isReranker ? "reranker" : start.Network.Contract.Kind.ToString().ToLowerInvariant() + " retriever")} after {result.Step} steps, {result.Elapsed.TotalSeconds:0} s"));
        }

        return ExitCode.Ok;
    }

    private int SaveStart(string output, TrainingStart start, TrainingInput input)
    {
        AddGolden(start, input);
        Directory.CreateDirectory(output);
        start.Network.Save(output);
        File.Copy(start.TokenizerPath, Path.Combine(output, "tokenizer.json"), overwrite: true);
        terminal.Out.WriteLine($"{output}: the model before its first step");
        return ExitCode.Ok;
    }

    /// <summary>The options with the chunk that fits the memory, or that of the run to go on with.</summary>
    private (TrainingOptions Options, MemoryPlan Plan) Plan(ParseResult parsed, RunRecord? record, IBackend backend, RetrieverNetwork network, TrainingSet set, TrainingOptions options, int rankCount)
    {
        int threads = (backend as CpuBackend)?.ThreadCount ?? 1;
        LlamaWeights Weights(IBackend planning) => BlankWeights.Like(planning, network.Weights);
        if (record is not null)
        {
            options = options with { GradCacheChunk = record.GradCacheChunk, RecomputeActivations = record.ActivationCheckpointing };
        }
        else if ((parsed.GetValue(flags.Memory) ?? DeviceLimit(backend)) is { } limit)
        {
            return MemoryPlan.Within(limit, Weights, network.Contract, set, options, rankCount, threads, backend.ActivationType);
        }

        return (options, MemoryPlan.Of(Weights, network.Contract, set, options, rankCount, threads, backend.ActivationType));
    }

    /// <summary>What a run may take on a device: what its model has taken already, and nine tenths of what is free, as the operations' own memory is an estimate.</summary>
    private static long? DeviceLimit(IBackend backend) =>
        backend is IDeviceMemory device && backend is IMeteredBackend meter ? meter.TensorMemory.ByteCount + (device.FreeByteCount / 10 * 9) : null;

    private static RunRecord FindRun(string output) => Directory.Exists(output)
        ? RunRecord.Load(output)
        : throw new DirectoryNotFoundException($"--resume: {output}: no such directory; leave --resume out to start a run");

    private static TrainingSet ReadSet(TrainingInput input, TrainingStart start)
    {
        RetrieverContract contract = start.Network.Contract;
        TokenizationOptions query = contract.TokenizationFor(RetrievalSide.Query);
        TokenizationOptions document = contract.TokenizationFor(RetrievalSide.Document);
        return TrainingSet.Create(
            input.Examples(),
            CorpusReader.Read(input.CorpusPath),
            (text, tokens) => start.Tokenizer.Encode(text, query, tokens),
            (passage, tokens) => start.Tokenizer.Encode(contract.Compose(passage), document, tokens),
            input.Source);
    }

    private TrainingSet ReadPairs(ParseResult parsed, TrainingInput input, TrainingStart start, TrainingOptions options)
    {
        // Twice as many as are drawn, so that epochs differ.
        RetrieverContract contract = start.Network.Contract;
        return PairTexts.Set(
            input.Examples(),
            CorpusReader.Read(input.CorpusPath),
            contract,
            (text, side, tokens) => start.Tokenizer.Encode(text, contract.TokenizationFor(side), tokens),
            2 * options.NegativeCount,
            flags.FollowsTeacher(parsed),
            input.Source);
    }

    private int CountSteps(IBackend backend, RetrieverNetwork network, TrainingSet set, TrainingOptions options, double minutes, ICollective? ranks)
    {
        // Each rank measures its share of a batch by itself; they take the first one's count.
        StepBudget budget = StepBudget.Measure(backend, network, set, options with { BatchSize = Math.Max(1, options.BatchSize / (ranks?.RankCount ?? 1)) }, TimeSpan.FromMinutes(minutes));
        int steps = (int)(ranks?.FromFirst(budget.StepCount) ?? budget.StepCount);
        if (ranks is null or { Rank: 0 })
        {
            terminal.Progress(Invariant($"{minutes} minutes are {steps} steps of {budget.SecondsPerStep * 1000:0} ms"));
        }

        return steps;
    }

    private static void AddGolden(TrainingStart start, TrainingInput input)
    {
        RetrieverContract contract = start.Network.Contract;
        foreach (TrainingExample example in input.Examples().Take(GoldenTextsPerSide))
        {
            Add(example.Query, RetrievalSide.Query);
        }

        foreach (Document document in CorpusReader.Read(input.CorpusPath).Take(GoldenTextsPerSide))
        {
            Add(contract.Compose(document), RetrievalSide.Document);
        }

        void Add(string text, RetrievalSide side)
        {
            List<int> tokens = [];
            start.Tokenizer.Encode(text, contract.TokenizationFor(side), tokens);
            start.Network.AddGolden(text, side == RetrievalSide.Query, tokens);
        }
    }

    /// <summary>The flags as they were given, with full paths, without those that say how this process goes about it.</summary>
    internal static string[] ArgumentsOf(TrainFlags flags, ParseResult parsed) =>
        RunRecord.ArgumentsOf(parsed, [flags.Data, flags.Train, flags.Corpus, flags.Model, flags.Tokenizer, flags.Output], flags.Resume, flags.DryRun);

    private sealed class EventSink(TensorBoardEvents events, IProgress<TrainingProgress> next) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            events.Add(value.Current);
            next.Report(value);
        }
    }

    private static string Quoted(string path) => path.Contains(' ', StringComparison.Ordinal) ? $"\"{path}\"" : path;
}
