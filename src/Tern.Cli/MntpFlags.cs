using System.CommandLine;
using Tern.Compute;
using Tern.Training;

namespace Tern.Cli;

/// <summary>The options of <c>tern mntp</c>; defaults are the paper's. And the names that other trainers have for them.</summary>
internal sealed class MntpFlags
{
    public Option<string?> Model { get; } = Flags.Text("--model", "The model to adapt.", "dir");

    public Option<string?> Data { get; } = Flags.Text("--data", "Text to train on: a corpus in any of the formats that tern index reads.", "path");

    public Option<string?> HeldOut { get; } = Flags.Text("--held-out", "Text to measure on; the first hundredth of the blocks unless given.", "path");

    public Option<string> Output { get; } = Flags.RequiredText("--output", "Where the adapter and its checkpoints go.", "dir");

    public Option<bool> Resume { get; } = new("--resume") { Description = "Go on from the latest checkpoint in --output. The other flags may be left out: they are those of the run." };

    public Option<int> Steps { get; } = Flags.Count("--steps", "Optimiser steps.", 10_000);

    public Option<int> Batch { get; } = Flags.Count("--batch", "Blocks of one batch, of all ranks together.", 32);

    public Option<int> Accumulation { get; } = Flags.Count("--accumulation", "Batches of one step.", 1);

    public Option<int> BlockLength { get; } = Flags.Count("--block-length", "Tokens of one block, into which texts are packed.", 512, least: 2);

    public Option<double> MaskProbability { get; } = Flags.Number("--mask-probability", "Part of the tokens that is to be predicted.", 0.2);

    public Option<string> MaskToken { get; } = new("--mask-token")
    {
        Description = "What hides a token: blank (the underscore), eos, or a token id. Of the chosen tokens 80 % are hidden, 10 % replaced by any other, 10 % left.",
        HelpName = "blank|eos|id",
        DefaultValueFactory = _ => "blank",
    };

    public Option<bool> MaskAll { get; } = new("--mask-all") { Description = "Hide all chosen tokens." };

    public Option<bool> AllWeights { get; } = new("--all-weights") { Description = "Train all weights instead of an adapter." };

    public LoraFlags Lora { get; } = new(defaultDropout: 0.05, defaultRank: 16);

    public Option<double> LearningRate { get; } = Flags.Number("--learning-rate", "Highest learning rate; it falls linearly over an epoch, or over the steps if they are more.", 5e-5);

    public Option<double> WarmupRatio { get; } = Flags.Number("--warmup-ratio", "Part of the steps in which the learning rate rises.", 0);

    public Option<double> WeightDecay { get; } = Flags.Number("--weight-decay", "AdamW's.", 0);

    public Option<double> Clip { get; } = Flags.Number("--clip", "Largest norm of the gradient; 0 for any.", 1);

    public Option<bool> ActivationCheckpointing { get; } = new("--activation-checkpointing") { Description = "Compute each block of the model again in the backward pass instead of keeping its activations; changes no bit of the result." };

    public Option<int> Seed { get; } = Flags.Count("--seed", "Decides the adapter's start, batches and masks.", 42, least: 0);

    public Option<int> EvaluateSteps { get; } = Flags.Count("--evaluate-steps", "Steps between two measurements on held-out text.", 200);

    public Option<int> SaveSteps { get; } = Flags.Count("--save-steps", "Steps between checkpoints; 0 writes one only when stopped.", 1000, least: 0);

    public Option<int> SaveLimit { get; } = Flags.Count("--save-limit", "Checkpoints to keep.", 2);

    public Option<int> LogSteps { get; } = Flags.Count("--log-steps", "Steps between two lines, where no terminal shows the panel.", 50);

    public Option<bool> Json { get; } = Flags.Json("every step");

    public RankFlags Ranks { get; } = new();

    public ModelFlags Compute { get; } = new(encodes: false);

    public static IReadOnlyDictionary<string, string> ForeignFlags { get; } = new Dictionary<string, string>
    {
        ["--model-name-or-path"] = "--model",
        ["--train-file"] = "--data",
        ["--validation-file"] = "--held-out",
        ["--output-dir"] = "--output",
        ["--max-steps"] = "--steps",
        ["--stop-after-n-steps"] = "--steps",
        ["--per-device-train-batch-size"] = "--batch",
        ["--gradient-accumulation-steps"] = "--accumulation",
        ["--max-seq-length"] = "--block-length",
        ["--mlm-probability"] = "--mask-probability",
        ["--mask-token-type"] = "--mask-token",
        ["--max-grad-norm"] = "--clip",
        ["--gradient-checkpointing"] = "--activation-checkpointing",
        ["--eval-steps"] = "--evaluate-steps",
        ["--save-total-limit"] = "--save-limit",
        ["--logging-steps"] = "--log-steps",
        ["--lora-r"] = "--lora-rank",
        ["--lora-target-modules"] = "--lora-targets",
    };

    public static IReadOnlyDictionary<string, string> RefusedFlags { get; } = new Dictionary<string, string>
    {
        ["--data-collator-type"] = "give --mask-all for all_mask; the default is the 80/10/10 rule",
        ["--lora"] = "that is the default; leave it out",
        ["--torch-dtype"] = "frozen weights stay as they are stored; give --precision bf16 for products in bf16",
        ["--bf16"] = "give --precision bf16",
    };

    public void AddTo(Command command)
    {
        Option[] options =
        [
            Model, Data, HeldOut, Output, Resume, Steps, Batch, Accumulation, BlockLength, MaskProbability, MaskToken, MaskAll, AllWeights,
            LearningRate, WarmupRatio, WeightDecay, Clip, ActivationCheckpointing, .. Ranks.All, Seed, EvaluateSteps, SaveSteps, SaveLimit, LogSteps, Json,
        ];
        foreach (Option option in options)
        {
            command.Add(option);
        }

        Lora.AddTo(command);
        Compute.AddTo(command);
    }

    /// <summary>The training options but for what only the run knows: files, and how long an epoch is.</summary>
    public TrainingOptions Read(ParseResult parsed) => new()
    {
        StepCount = parsed.GetValue(Steps),
        BatchSize = parsed.GetValue(Batch),
        AccumulationCount = parsed.GetValue(Accumulation),
        LearningRate = (float)parsed.GetValue(LearningRate),
        WarmupRatio = (float)parsed.GetValue(WarmupRatio),
        Optimizer = new AdamWSettings { WeightDecay = (float)parsed.GetValue(WeightDecay) },
        GradientClip = (float)parsed.GetValue(Clip),
        RecomputeActivations = parsed.GetValue(ActivationCheckpointing),
        ShardOptimizer = parsed.GetValue(Ranks.ShardOptimizer),
        Seed = (ulong)parsed.GetValue(Seed),
        CheckpointDirectory = parsed.GetRequiredValue(Output),
        CheckpointInterval = parsed.GetValue(SaveSteps),
        CheckpointsKept = parsed.GetValue(SaveLimit),
    };
}
