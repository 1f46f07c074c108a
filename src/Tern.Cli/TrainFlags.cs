using System.CommandLine;
using Tern.Compute;
using Tern.Model;
using Tern.Pipelines.Teaching;
using Tern.Training;
using Tern.Training.Planning;

namespace Tern.Cli;

/// <summary>The options of <c>tern train</c>, and the names that other trainers have for them.</summary>
internal sealed class TrainFlags
{
    /// <summary>The type that reads query and document together.</summary>
    public const string Reranker = "reranker";

    private static readonly string[] Losses = ["infonce", "kl", "margin-mse", "infonce+kl"];

    private static readonly Dictionary<string, string> LossAliases = new(StringComparer.OrdinalIgnoreCase)
    {
        ["ce"] = "infonce",
        ["nce"] = "infonce",
        ["cl"] = "infonce",
        ["info-nce"] = "infonce",
        ["kd"] = "kl",
        ["kldiv"] = "kl",
        ["margin_mse"] = "margin-mse",
        ["marginmse"] = "margin-mse",
        ["nce_kldiv"] = "infonce+kl",
        ["nce+kl"] = "infonce+kl",
        ["ce+kl"] = "infonce+kl",
        ["cl+kd"] = "infonce+kl",
    };

    public Option<string?> Config { get; } = Flags.Text("--config", "A YAML or JSON file whose keys are flags, such as steps: 1000; flags on the command line go before it.", "file");

    public Option<string?> Preset { get; } = new("--preset") { Description = "The values of one cell of the paper's grid, 1b|3b|8b, sparse|dense, cl|kd|cl+kd, such as 1b-sparse-cl+kd; other flags go before it.", HelpName = "name" };

    public Option<bool> DryRun { get; } = new("--dry-run") { Description = "Say what would be run, with its floating-point operations, memory and time, and end. With --preset it needs no data." };

    public Option<string?> Data { get; } = Flags.Text("--data", "A BEIR directory: corpus, queries and qrels/train.tsv, or train.jsonl in their place.", "dir");

    public Option<string?> Train { get; } = Flags.Text("--train", "Training examples as JSON Lines; needs --corpus.", "file");

    public Option<string?> Corpus { get; } = Flags.Text("--corpus", "The documents that --train names.", "path");

    public Option<string?> Model { get; } = Flags.Text("--model", "The model to start from.", "dir");

    public Option<bool> New { get; } = new("--new") { Description = "Start from random weights (embedding scaled by idf)." };

    public Option<string?> Tokenizer { get; } = Flags.Text("--tokenizer", "With --new: the tokenizer.json to use; one is learned from the corpus unless given.", "file");

    public Option<int> VocabularySize { get; } = Flags.Count("--vocabulary-size", "With --new and no --tokenizer: entries to learn.", 8000, least: 256);

    public Option<bool> Lowercase { get; } = new("--lowercase") { Description = "With --new and no --tokenizer: lower-case all text." };

    public Option<int> HiddenSize { get; } = Flags.Count("--hidden-size", "With --new.", 128);

    public Option<int?> IntermediateSize { get; } = Flags.OptionalCount("--intermediate-size", "With --new; three times the hidden size unless given.");

    public Option<int> Layers { get; } = Flags.Count("--layers", "With --new.", 2);

    public Option<int> Heads { get; } = Flags.Count("--heads", "With --new.", 4);

    public Option<int?> KeyValueHeads { get; } = Flags.OptionalCount("--kv-heads", "With --new; as many as --heads unless given.");

    public Option<string?> Type { get; } = new("--type") { Description = "What texts become; that of the model unless given. reranker: query and document are read together and get a score.", HelpName = "sparse|dense|reranker" };

    public Option<string> Loss { get; } = new("--loss")
    {
        Description = "infonce: positives above the batch's other documents and the negatives; kl, margin-mse: follow teacher scores; infonce+kl: half of each. Also: ce, cl, nce, kd, kldiv.",
        HelpName = string.Join('|', Losses),
        DefaultValueFactory = _ => Losses[0],
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            string name = LossAliases.GetValueOrDefault(text, text.ToLowerInvariant());
            if (!Losses.Contains(name))
            {
                result.AddError($"--loss: '{text}' is none of {string.Join(", ", Losses)}");
            }

            return name;
        },
    };

    public Option<double?> InfoNceWeight { get; } = Flags.OptionalNumber("--infonce-weight", "Weight of InfoNCE in place of what --loss says.");

    public Option<double?> KlWeight { get; } = Flags.OptionalNumber("--kl-weight", "Weight of the KL divergence from the teacher in place of what --loss says.");

    public Option<double?> MarginMseWeight { get; } = Flags.OptionalNumber("--margin-mse-weight", "Weight of Margin-MSE in place of what --loss says.");

    public Option<string> Semantics { get; } = Flags.Choice("--semantics", "stated: the loss as its formula reads, whatever the number of ranks. reference: as the paper's system averages it on --reference-ranks GPUs (InfoNCE : KL = 1 : ranks, the FLOPS ramp counts batches, relevant contexts count as negatives).", "stated", "stated", "reference");

    public Option<int> ReferenceRanks { get; } = Flags.Count("--reference-ranks", "With --semantics reference: the GPUs whose averaging is reproduced.", 4);

    public Option<string> Output { get; } = Flags.RequiredText("--output", "Where the model and its checkpoints go.", "dir");

    public Option<bool> Resume { get; } = new("--resume") { Description = "Go on from the latest checkpoint in --output. The other flags may be left out: they are those of the run." };

    public Option<int?> Steps { get; } = Flags.OptionalCount("--steps", "Optimiser steps; 0 writes the model as it starts, such as one for tern mntp to adapt.", least: 0);

    public Option<double?> Minutes { get; } = Flags.OptionalNumber("--minutes", "As many steps as fit into this time; counted once, before the first step.");

    public Option<int> Batch { get; } = Flags.Count("--batch", "Queries of one step, of all ranks together.", 64);

    public Option<int?> Negatives { get; } = Flags.OptionalCount("--negatives", "Hard negatives of each query; none unless the loss needs a teacher, then 8.", least: 0);

    public Option<int?> TrainGroupSize { get; } = Flags.OptionalCount("--train-group-size", "Tevatron's way to say --negatives: one more than these.");

    public Option<int> Accumulation { get; } = Flags.Count("--accumulation", "Batches of one step.", 1);

    public Option<int> GradCacheChunk { get; } = Flags.Count("--grad-cache-chunk", "Texts whose activations are kept at a time (GradCache): larger batches in the same memory, every text encoded twice; 0 for all of a batch.", 0, least: 0);

    public Option<bool> ActivationCheckpointing { get; } = new("--activation-checkpointing") { Description = "Compute each block again in the backward pass instead of keeping its activations; changes no bit of the result." };

    public Option<long?> Memory { get; } = Flags.ByteSize("--memory", "Memory for tensors, such as 8GiB: recomputation and the chunk are chosen so that the run fits, and recorded. Per rank.");

    public RankFlags Ranks { get; } = new();

    public Option<double?> LearningRate { get; } = Flags.OptionalNumber("--learning-rate", "Highest learning rate; 1e-3 with --new, 1e-4 with --lora-rank, else 2e-5.");

    public Option<double> WarmupRatio { get; } = Flags.Number("--warmup-ratio", "Part of the steps in which the learning rate rises.", 0.04);

    public Option<double> WeightDecay { get; } = Flags.Number("--weight-decay", "AdamW's.", 0);

    public Option<double> Clip { get; } = Flags.Number("--clip", "Largest norm of the gradient; 0 for any.", 1);

    public Option<double?> Temperature { get; } = Flags.OptionalNumber("--temperature", "Scores are divided by it in the loss; 1 for sparse, for dense 0.05 with --new, else 0.01.");

    public Option<double?> QueryFlops { get; } = Flags.OptionalNumber("--query-flops", "Weight of the sparsity of queries (FLOPS); 0.005 for sparse.");

    public Option<double?> DocumentFlops { get; } = Flags.OptionalNumber("--document-flops", "Weight of the sparsity of documents (FLOPS); 0.004 for sparse.");

    public Option<int> FlopsRampSteps { get; } = Flags.Count("--flops-ramp-steps", "Steps in which these weights rise; 0 for a third of all.", 0, least: 0);

    public Option<string> Regularizer { get; } = Flags.Choice("--regularizer", "What these weights weigh: flops; l1; or df-flops, which leaves rare terms alone.", "flops", "flops", "l1", "df-flops");

    public Option<double> QueryNonZeros { get; } = Flags.Number("--target-query-terms", "Steer the weight of queries to so many non-zero terms; 0 leaves it alone.", 0);

    public Option<double> DocumentNonZeros { get; } = Flags.Number("--target-document-terms", "Steer the weight of documents to so many non-zero terms; 0 leaves it alone.", 0);

    public Option<int?> QueryLength { get; } = Flags.OptionalCount("--query-length", "Longest query in tokens.");

    public Option<int?> DocumentLength { get; } = Flags.OptionalCount("--document-length", "Longest document in tokens.");

    public Option<string?> QueryPrefix { get; } = Flags.Text("--query-prefix", "Put before every query.", "text");

    public Option<string?> DocumentPrefix { get; } = Flags.Text("--document-prefix", "Put before every document.", "text");

    public Option<int?> QueryTopTerms { get; } = Flags.OptionalCount("--query-top-terms", "Sparse: keep only the heaviest terms of a query; 0 keeps all.", least: 0);

    public Option<int?> DocumentTopTerms { get; } = Flags.OptionalCount("--document-top-terms", "Sparse: keep only the heaviest terms of a document; 0 keeps all.", least: 0);

    public Option<bool> Causal { get; } = new("--causal") { Description = "A token sees only what is before it; bidirectional unless given." };

    public Option<int> Seed { get; } = Flags.Count("--seed", "Decides weights, batches and negatives.", 1, least: 0);

    public Option<int> SaveSteps { get; } = Flags.Count("--save-steps", "Steps between checkpoints; 0 writes one only when stopped.", 500, least: 0);

    public Option<int> SaveLimit { get; } = Flags.Count("--save-limit", "Checkpoints to keep.", 2);

    public Option<int> LogSteps { get; } = Flags.Count("--log-steps", "Steps between two lines, where no terminal shows the panel.", 10);

    public LoraFlags Lora { get; } = new(defaultDropout: 0.1);

    public Option<bool> Json { get; } = Flags.Json("every step");

    public ModelFlags Compute { get; } = new(encodes: false);

    public static IReadOnlyDictionary<string, string> ForeignFlags { get; } = new Dictionary<string, string>
    {
        ["--model-name-or-path"] = "--model",
        ["--train-path"] = "--train",
        ["--train-file"] = "--train",
        ["--corpus-path"] = "--corpus",
        ["--output-dir"] = "--output",
        ["--loss-type"] = "--loss",
        ["--lora-r"] = "--lora-rank",
        ["--lora-target-modules"] = "--lora-targets",
        ["--max-steps"] = "--steps",
        ["--per-device-train-batch-size"] = "--batch",
        ["--batch-size"] = "--batch",
        ["--n-negs"] = "--negatives",
        ["--gradient-accumulation-steps"] = "--accumulation",
        ["--gradient-checkpointing"] = "--activation-checkpointing",
        ["--gc-chunk-size"] = "--grad-cache-chunk",
        ["--max-grad-norm"] = "--clip",
        ["--lr"] = "--learning-rate",
        ["--t"] = "--temperature",
        ["--q-flops-loss-factor"] = "--query-flops",
        ["--p-flops-loss-factor"] = "--document-flops",
        ["--flops-warmup"] = "--flops-ramp-steps",
        ["--query-max-len"] = "--query-length",
        ["--query-max-length"] = "--query-length",
        ["--passage-max-len"] = "--document-length",
        ["--doc-max-length"] = "--document-length",
        ["--splade-topk"] = "--document-top-terms",
        ["--passage-prefix"] = "--document-prefix",
        ["--save-total-limit"] = "--save-limit",
        ["--logging-steps"] = "--log-steps",
    };

    public static IReadOnlyDictionary<string, string> RefusedFlags { get; } = Refusals();

    public void AddTo(Command command)
    {
        Option[] options =
        [
            Config, Preset, DryRun, Data, Train, Corpus, Model, New, Type, Loss, InfoNceWeight, KlWeight, MarginMseWeight, Semantics, ReferenceRanks, Output, Resume, Steps, Minutes,
            Batch, Negatives, TrainGroupSize, Accumulation, GradCacheChunk, ActivationCheckpointing, Memory, .. Ranks.All, LearningRate, WarmupRatio, WeightDecay, Clip, Temperature,
            QueryFlops, DocumentFlops, FlopsRampSteps, Regularizer, QueryNonZeros, DocumentNonZeros, QueryLength, DocumentLength, QueryPrefix, DocumentPrefix, QueryTopTerms, DocumentTopTerms, Causal,
            Tokenizer, VocabularySize, Lowercase, HiddenSize, IntermediateSize, Layers, Heads, KeyValueHeads,
            Seed, SaveSteps, SaveLimit, LogSteps, Json,
        ];
        foreach (Option option in options)
        {
            command.Add(option);
        }

        Preset.AcceptOnlyFromAmong([.. PaperPreset.All.Keys]);
        Type.AcceptOnlyFromAmong("sparse", "dense", Reranker);
        Lora.AddTo(command);
        Compute.AddTo(command);
    }

    /// <exception cref="UsageException">Flags are missing or contradict each other.</exception>
    public void Validate(ParseResult parsed)
    {
        Require(parsed.GetValue(Data) is not null != parsed.GetValue(Train) is not null, "train needs either --data DIR, or --train FILE with --corpus PATH");
        Require(parsed.GetValue(Train) is null == parsed.GetValue(Corpus) is null, "--train FILE and --corpus PATH go together");
        Require(parsed.GetValue(Model) is not null != parsed.GetValue(New), "train needs either --model DIR to start from, or --new");
        Require(!parsed.GetValue(New) || Lora.Read(parsed) is null, "an adapter needs a model to lie on: --lora-rank goes with --model DIR, not with --new");
        Require(!parsed.GetValue(New) || parsed.GetValue(Type) is not null, "--new needs --type sparse, dense or reranker");
        Require(parsed.GetValue(Steps) is not null != parsed.GetValue(Minutes) is not null, "train needs either --steps N or --minutes N");
        Require(parsed.GetValue(Negatives) is null || parsed.GetValue(TrainGroupSize) is null, "--negatives and --train-group-size say the same: give one");
        Require(parsed.GetValue(HiddenSize) % (2 * parsed.GetValue(Heads)) == 0, $"--hidden-size {parsed.GetValue(HiddenSize)} must be a multiple of twice --heads {parsed.GetValue(Heads)}");
    }

    /// <summary>What a --type is to the network: a reranker is a dense one that reads pairs.</summary>
    public static RepresentationKind KindOf(string type) => type == Reranker ? RepresentationKind.Dense : Enum.Parse<RepresentationKind>(type, ignoreCase: true);

    /// <summary>True when the examples' own scores are followed, which a reranker otherwise replaces by certainty.</summary>
    public bool FollowsTeacher(ParseResult parsed) => parsed.GetRequiredValue(Loss) != Losses[0];

    /// <summary>The options of a reranker: its own candidates compete, whatever the loss; pairs of other queries do not.</summary>
    /// <exception cref="UsageException">The loss is none that a reranker has.</exception>
    public TrainingOptions ReadReranker(ParseResult parsed)
    {
        string loss = parsed.GetRequiredValue(Loss);
        if (loss is not ("infonce" or "kl"))
        {
            throw new UsageException($"--loss {loss}: a reranker takes infonce (the positive above its negatives) or kl (follow the teacher's scores)");
        }

        TrainingOptions options = Read(parsed, RepresentationKind.Dense);
        return options with
        {
            Objective = TrainingObjective.KlDivergence,
            Temperature = PairTexts.Temperature,
            NegativeCount = parsed.GetValue(Negatives) ?? (parsed.GetValue(TrainGroupSize) - 1) ?? 8,
        };
    }

    /// <summary>The training options but for what only the run knows: step count and files.</summary>
    public TrainingOptions Read(ParseResult parsed, RepresentationKind kind)
    {
        bool isNew = parsed.GetValue(New);
        bool isSparse = kind == RepresentationKind.Sparse;
        TrainingObjective objective = parsed.GetRequiredValue(Loss) switch
        {
            "kl" => TrainingObjective.KlDivergence,
            "margin-mse" => TrainingObjective.MarginMse,
            "infonce+kl" => TrainingObjective.InfoNceAndKlDivergence,
            _ => TrainingObjective.InfoNce,
        };
        objective = new TrainingObjective(
            (float)(parsed.GetValue(InfoNceWeight) ?? objective.InfoNceWeight),
            (float)(parsed.GetValue(KlWeight) ?? objective.KlDivergenceWeight),
            (float)(parsed.GetValue(MarginMseWeight) ?? objective.MarginMseWeight));
        bool isReference = parsed.GetRequiredValue(Semantics) == "reference";
        return new TrainingOptions
        {
            StepCount = parsed.GetValue(Steps) ?? 1,
            Objective = objective,
            ReferenceRankCount = isReference ? parsed.GetValue(ReferenceRanks) : 0,
            MaskKnownPositives = !isReference,
            Temperature = (float)(parsed.GetValue(Temperature) ?? (isSparse ? 1 : isNew ? 0.05 : 0.01)),
            BatchSize = parsed.GetValue(Batch),
            NegativeCount = parsed.GetValue(Negatives) ?? (parsed.GetValue(TrainGroupSize) - 1) ?? (objective.UsesTeacher ? 8 : 0),
            AccumulationCount = parsed.GetValue(Accumulation),
            GradCacheChunk = parsed.GetValue(GradCacheChunk),
            RecomputeActivations = parsed.GetValue(ActivationCheckpointing),
            ShardOptimizer = parsed.GetValue(Ranks.ShardOptimizer),
            LearningRate = (float)(parsed.GetValue(LearningRate) ?? (isNew ? 1e-3 : Lora.Read(parsed) is null ? 2e-5 : 1e-4)),
            WarmupRatio = (float)parsed.GetValue(WarmupRatio),
            Optimizer = new AdamWSettings { WeightDecay = (float)parsed.GetValue(WeightDecay) },
            GradientClip = (float)parsed.GetValue(Clip),
            QueryFlopsWeight = (float)(parsed.GetValue(QueryFlops) ?? (isSparse ? 0.005 : 0)),
            DocumentFlopsWeight = (float)(parsed.GetValue(DocumentFlops) ?? (isSparse ? 0.004 : 0)),
            FlopsRampSteps = parsed.GetValue(FlopsRampSteps),
            Regularizer = parsed.GetRequiredValue(Regularizer) switch { "l1" => RegularizerKind.L1, "df-flops" => RegularizerKind.DocumentFrequencyFlops, _ => RegularizerKind.Flops },
            QueryNonZeroTarget = isSparse ? (float)parsed.GetValue(QueryNonZeros) : 0f,
            DocumentNonZeroTarget = isSparse ? (float)parsed.GetValue(DocumentNonZeros) : 0f,
            Seed = (ulong)parsed.GetValue(Seed),
            CheckpointDirectory = parsed.GetRequiredValue(Output),
            CheckpointInterval = parsed.GetValue(SaveSteps),
            CheckpointsKept = parsed.GetValue(SaveLimit),
        };
    }

    private static void Require(bool holds, string problem)
    {
        if (!holds)
        {
            throw new UsageException($"{problem} (tern train --help)");
        }
    }

    private static Dictionary<string, string> Refusals()
    {
        const string OneChunk = "queries and documents are cut into chunks together; give --grad-cache-chunk N";
        return new Dictionary<string, string>
        {
            ["--bf16"] = "give --precision bf16",
            ["--fp16"] = "there are no products in fp16; give --precision bf16, or leave it out",
            ["--grad-cache"] = OneChunk,
            ["--gc-q-chunk-size"] = OneChunk,
            ["--gc-p-chunk-size"] = OneChunk,
            ["--is-bidirectional"] = "that is the default; leave it out, or give --causal for the other way",
            ["--lora"] = LoraFlags.BareFlag,
            ["--lora-modules-to-save"] = LoraFlags.NoModulesToSave,
            ["--resume-from-checkpoint"] = "give --resume, which takes the latest checkpoint in --output",
        };
    }
}
