using System.CommandLine;
using Tern.Compute;
using Tern.Model;
using Tern.Text;
using Tern.Training;

namespace Tern.Cli;

/// <summary>One training run from its flags to its model directory. Nothing is written before all input was read.</summary>
internal sealed class TrainRun(Terminal terminal, Command command, TrainFlags flags)
{
    private const int GoldenTextsPerSide = 2;

    public int Execute(ParseResult parsed, CancellationToken cancellationToken)
    {
        string output = parsed.GetRequiredValue(flags.Output);
        bool resume = parsed.GetValue(flags.Resume);
        RunRecord? record = resume ? FindRun(output) : null;
        if (record is not null && parsed.GetValue(flags.Data) is null && parsed.GetValue(flags.Train) is null)
        {
            parsed = command.Parse([.. record.Arguments]);
        }

        flags.Validate(parsed);
        if (!resume && Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any())
        {
            throw new UsageException($"--output {output}: the directory is not empty; give --resume to go on with the run in it, or choose another");
        }

        TrainingInput input = parsed.GetValue(flags.Data) is { } data
            ? TrainingInput.OfDirectory(data)
            : TrainingInput.OfFile(parsed.GetValue(flags.Train)!, parsed.GetValue(flags.Corpus)!);
        ModelOptions compute = flags.Compute.Read(parsed);
        using IBackend backend = Backends.Create(compute.Backend, compute.Threads, compute.Precision ?? ProductPrecision.Float32);
        using TrainingStart start = resume
            ? TrainingStart.FromCheckpoint(backend, TrainingStart.LatestCheckpoint(output))
            : parsed.GetValue(flags.Model) is { } model ? TrainingStart.FromModel(backend, model, flags, parsed) : TrainingStart.FromNothing(backend, input.CorpusPath, flags, parsed);
        TrainingSet set = ReadSet(input, start);
        TrainingOptions options = flags.Read(parsed, start.Network.Contract.Kind) with { CheckpointFiles = [start.TokenizerPath] };
        options = options with { StepCount = record?.Steps ?? parsed.GetValue(flags.Steps) ?? CountSteps(backend, start.Network, set, options, parsed.GetValue(flags.Minutes)!.Value) };
        if (!resume)
        {
            AddGolden(start, input);
        }

        using var trainer = new RetrieverTrainer(backend, start.Network, set, options);
        if (resume)
        {
            trainer.Resume(output);
        }

        new RunRecord(record?.Arguments ?? RunRecord.ArgumentsOf(parsed, [flags.Data, flags.Train, flags.Corpus, flags.Model, flags.Tokenizer, flags.Output], flags.Resume), options.StepCount, set.Fingerprint, typeof(TrainRun).Assembly.GetName().Version!.ToString(3)).Save(output);
        TrainingResult result = TrainingDisplay.Show(terminal, parsed.GetValue(flags.Json), parsed.GetValue(flags.LogSteps), start.Network.Contract.Kind, progress => trainer.Run(progress, cancellationToken));
        if (result.Stopped)
        {
            terminal.Error.WriteLine($"stopped after step {result.Step} of {options.StepCount}; saved {result.Checkpoint}; go on with: tern train --output {Quoted(output)} --resume");
            return ExitCode.Interrupted;
        }

        start.Network.Save(output);
        File.Copy(start.TokenizerPath, Path.Combine(output, "tokenizer.json"), overwrite: true);
        if (!parsed.GetValue(flags.Json))
        {
            terminal.Out.WriteLine(Invariant($"{output}: {start.Network.Contract.Kind.ToString().ToLowerInvariant()} retriever after {result.Step} steps, {result.Elapsed.TotalSeconds:0} s"));
        }

        return ExitCode.Ok;
    }

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

    private int CountSteps(IBackend backend, RetrieverNetwork network, TrainingSet set, TrainingOptions options, double minutes)
    {
        StepBudget budget = StepBudget.Measure(backend, network, set, options, TimeSpan.FromMinutes(minutes));
        terminal.Progress(Invariant($"{minutes} minutes are {budget.StepCount} steps of {budget.SecondsPerStep * 1000:0} ms"));
        return budget.StepCount;
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

    private static string Quoted(string path) => path.Contains(' ', StringComparison.Ordinal) ? $"\"{path}\"" : path;
}
