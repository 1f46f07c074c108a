using System.CommandLine;
using System.Globalization;
using Tern.Compute;
using Tern.Compute.Collectives;
using Tern.Model;
using Tern.Model.Checkpoints;
using Tern.Text;
using Tern.Training;

namespace Tern.Cli;

/// <summary>One run of masked next-token prediction from its flags to its adapter. Nothing is written before all input was read.</summary>
internal sealed class MntpRun(Terminal terminal, Command command, MntpFlags flags)
{
    private const string TokenizerName = "tokenizer.json";

    public int Execute(ParseResult parsed, CancellationToken cancellationToken)
    {
        string output = parsed.GetRequiredValue(flags.Output);
        bool resume = parsed.GetValue(flags.Resume);
        RunRecord? record = resume ? RunRecord.Load(output) : null;
        ParseResult given = parsed;
        if (record is not null && parsed.GetValue(flags.Data) is null)
        {
            parsed = command.Parse([.. record.Arguments]);
        }

        string model = parsed.GetValue(flags.Model) ?? throw new UsageException("mntp needs --model DIR: the model to adapt (tern mntp --help)");
        string data = parsed.GetValue(flags.Data) ?? throw new UsageException("mntp needs --data PATH: the text to train on (tern mntp --help)");
        return RankLaunch.Run(given, parsed, flags.Ranks, rank =>
        {
            if (rank.IsFirst && !resume && Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any())
            {
                throw new UsageException($"--output {output}: the directory is not empty; give --resume to go on with the run in it, or choose another");
            }

            return RunRank(parsed, model, data, record, rank, cancellationToken);
        });
    }

    private int RunRank(ParseResult parsed, string model, string data, RunRecord? record, RankLaunch.Rank rank, CancellationToken cancellationToken)
    {
        string output = parsed.GetRequiredValue(flags.Output);
        ModelOptions compute = flags.Compute.Read(parsed);
        AdapterStack stack = AdapterStack.Open(model);
        string tokenizerPath = stack.Find(TokenizerName) ?? Path.Combine(model, TokenizerName);
        Tokenizer tokenizer = Tokenizer.Load(tokenizerPath);
        TokenMasking masking = Masking(tokenizer, parsed);
        (TokenBlocks heldOut, TokenBlocks blocks) = Blocks(tokenizer, data, parsed);
        TrainingOptions options = flags.Read(parsed);
        options = options with { CheckpointFiles = [tokenizerPath], DecaySteps = blocks.Count / Math.Max(options.BatchSize * options.AccumulationCount, 1) };

        using IBackend backend = Backends.Create(compute.Backend, rank.ThreadCount(compute.Threads), compute.Precision ?? ProductPrecision.Float32);
        ICollective? ranks = rank.Join(backend);
        bool allWeights = parsed.GetValue(flags.AllWeights);
        LlamaWeights weights = LlamaWeights.LoadStack(backend, stack, trainable: allWeights);
        using var network = new MaskedLanguageNetwork(backend, weights);
        if (!allWeights)
        {
            weights.AddAdapter(flags.Lora.Read(parsed)! with { Seed = parsed.GetValue(flags.Seed) }, Path.GetFullPath(model));
        }

        using var trainer = new MntpTrainer(backend, network, blocks, masking, options, heldOut, parsed.GetValue(flags.EvaluateSteps), ranks);
        if (record is not null)
        {
            trainer.Resume(output);
        }

        if (!rank.IsFirst)
        {
            return trainer.Run(cancellationToken: cancellationToken).Stopped ? ExitCode.Interrupted : ExitCode.Ok;
        }

        new RunRecord(record?.Arguments ?? RunRecord.ArgumentsOf(parsed, [flags.Model, flags.Data, flags.HeldOut, flags.Output], flags.Resume), options.StepCount, blocks.Fingerprint, typeof(MntpRun).Assembly.GetName().Version!.ToString(3)) { Ranks = rank.Count }.Save(output);
        terminal.Progress(Invariant($"{blocks.Count} blocks of {blocks.BlockLength} tokens to train on, {heldOut.Count} held out"));
        TrainingResult result = TrainingDisplay.Show(terminal, parsed.GetValue(flags.Json), parsed.GetValue(flags.LogSteps), null, progress => trainer.Run(progress, cancellationToken));
        if (result.Stopped)
        {
            terminal.Error.WriteLine($"stopped after step {result.Step} of {options.StepCount}; saved {result.Checkpoint}; go on with: tern mntp --output {output} --resume");
            return ExitCode.Interrupted;
        }

        network.Save(output);
        if (File.Exists(Path.Combine(model, RetrieverContract.FileName)))
        {
            // What a retriever made of it is to read; its vectors are no longer those of the model.
            (RetrieverContract.Load(model) with { Golden = [], Fingerprint = "" }).Save(output);
        }

        File.Copy(tokenizerPath, Path.Combine(output, TokenizerName), overwrite: true);
        if (!parsed.GetValue(flags.Json))
        {
            terminal.Out.WriteLine(Invariant($"{output}: {(allWeights ? "weights" : "adapter")} after {result.Step} steps, {result.Elapsed.TotalSeconds:0} s"));
        }

        return ExitCode.Ok;
    }

    private TokenMasking Masking(Tokenizer tokenizer, ParseResult parsed)
    {
        var masking = new TokenMasking
        {
            MaskTokenId = MaskToken(tokenizer, parsed.GetRequiredValue(flags.MaskToken)),
            VocabularySize = tokenizer.VocabularySize,
            Probability = parsed.GetValue(flags.MaskProbability),
            MasksAll = parsed.GetValue(flags.MaskAll),
            SpecialIds = tokenizer.SpecialIds.ToHashSet(),
        };
        try
        {
            masking.Validate();
            return masking;
        }
        catch (ArgumentException e)
        {
            throw new UsageException($"--mask-…: {e.Message}");
        }
    }

    private static int MaskToken(Tokenizer tokenizer, string name)
    {
        switch (name)
        {
            case "blank":
                List<int> ids = [];
                tokenizer.Encode("_", ids);
                return ids is [int blank] ? blank : throw new UsageException($"--mask-token blank: the tokenizer writes the underscore with {ids.Count} tokens; give --mask-token eos or a token id");
            case "eos":
                return tokenizer.EosId ?? throw new UsageException("--mask-token eos: the tokenizer has no end-of-text token; give --mask-token blank or a token id");
            default:
                return int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int id) ? id : throw new UsageException($"--mask-token: '{name}' is none of blank, eos and a token id");
        }
    }

    private (TokenBlocks HeldOut, TokenBlocks Train) Blocks(Tokenizer tokenizer, string data, ParseResult parsed)
    {
        var options = new TokenizationOptions(AddBos: tokenizer.BosId is not null, AddEos: false, Prefix: "", MaxTokenCount: 0);
        TokenBlocks train = Pack(data);
        return parsed.GetValue(flags.HeldOut) is { } other ? (Pack(other), train) : train.Split();

        TokenBlocks Pack(string path) => TokenBlocks.Pack(
            CorpusReader.Read(path).Select(d => $"{d.Title} {d.Text}".Trim()),
            (text, ids) => tokenizer.Encode(text, options, ids),
            parsed.GetValue(flags.BlockLength),
            path);
    }
}
