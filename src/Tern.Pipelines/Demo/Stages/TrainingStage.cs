using Tern.Compute;
using Tern.Model;
using Tern.Training;

namespace Tern.Pipelines.Demo.Stages;

internal sealed record TrainingStageFigures(int Steps, int BatchSize, long ParameterCount, double FinalLoss, double TokensPerSecond, string ModelFingerprint);

/// <summary>Trains one model and saves it with its tokenizer. Interrupted, it leaves a checkpoint that the next run goes on from.</summary>
internal sealed class TrainingStage(RepresentationKind kind)
    : DemoStage(kind == RepresentationKind.Sparse ? StageNames.TrainSparse : StageNames.TrainDense, $"Train the {Word(kind)} model")
{
    private const int CheckpointsPerRun = 8;

    public static string Word(RepresentationKind kind) => kind == RepresentationKind.Sparse ? "sparse" : "dense";

    public override IReadOnlyList<string> After => [StageNames.Tokenizer, StageNames.Examples];

    public override string Inputs(DemoContext context) => FormattableString.Invariant($"{Steps(context)} {context.Recipe.ForTraining(kind)}");

    public override IReadOnlyList<string> Outputs(DemoContext context) => [context.Paths.Model(Word(kind)), context.Paths.Curve(Word(kind))];

    public override StageOutcome Run(DemoContext context, CancellationToken cancellation)
    {
        string checkpoints = Path.Combine(context.Paths.Checkpoints(Word(kind)), context.CurrentFingerprint[..12]);
        int steps = Steps(context);
        using IBackend backend = context.CreateBackend();
        using RetrieverNetwork network = context.CreateNetwork(backend, kind);
        TrainingOptions options = Options(context.Recipe, kind, steps, context.TrainingSet.ExampleCount) with
        {
            CheckpointDirectory = checkpoints,
            CheckpointInterval = Math.Max(1, steps / CheckpointsPerRun),
        };
        using var trainer = new RetrieverTrainer(backend, network, context.TrainingSet, options);
        if (LatestCheckpoint(checkpoints) is { } checkpoint)
        {
            trainer.Resume(checkpoint);
        }

        int resumedAt = trainer.Step;
        TrainingResult result = context.Observer.Train(kind, progress => trainer.Run(progress, cancellation));
        if (result.Stopped)
        {
            throw new OperationCanceledException(cancellation);
        }

        Save(context, network);
        ResultsFile.Save(context.Paths.Curve(Word(kind)), result.History.Select(s => new CurvePoint(s.Step, s.Loss, Sparse(s.QueryNonZeros), Sparse(s.DocumentNonZeros))).ToList());
        Directory.Delete(checkpoints, recursive: true);
        double finalLoss = result.History.TakeLast(Math.Max(1, steps / 20)).Average(s => s.Loss);
        double tokensPerSecond = result.History.Skip(resumedAt).Sum(s => (double)s.TokenCount) / Math.Max(result.Elapsed.TotalSeconds, 1e-3);
        return new StageOutcome(
            FormattableString.Invariant($"{steps:#,0} steps, loss {finalLoss:0.000}, {tokensPerSecond:#,0} tokens/s"),
            new TrainingStageFigures(steps, options.BatchSize, network.Weights.ElementCount, finalLoss, tokensPerSecond, network.Contract.Fingerprint));
    }

    /// <summary>The recipe as the trainer takes it; a small collection trains in batches of all it has.</summary>
    public static TrainingOptions Options(DemoRecipe recipe, RepresentationKind kind, int steps, int exampleCount)
    {
        bool sparse = kind == RepresentationKind.Sparse;
        return new TrainingOptions
        {
            StepCount = steps,
            Objective = TrainingObjective.InfoNce,
            Temperature = sparse ? 1f : recipe.DenseTemperature,
            BatchSize = Math.Min(recipe.Of(kind).BatchSize, exampleCount),
            NegativeCount = recipe.HardNegativeCount,
            AllowFewerNegatives = true,
            LearningRate = recipe.Of(kind).LearningRate,
            WarmupRatio = recipe.WarmUpRatio,
            GradientClip = recipe.ClipNorm,
            QueryFlopsWeight = sparse ? recipe.QueryFlopsWeight : 0f,
            DocumentFlopsWeight = sparse ? recipe.DocumentFlopsWeight : 0f,
            FlopsRampSteps = Math.Max(1, (int)(recipe.FlopsRampRatio * steps)),
            Seed = (ulong)recipe.Seed,
        };
    }

    private int Steps(DemoContext context)
    {
        BudgetFigures budget = context.Figures<BudgetFigures>(StageNames.Budget);
        return kind == RepresentationKind.Sparse ? budget.SparseSteps : budget.DenseSteps;
    }

    private double Sparse(double nonZeros) => kind == RepresentationKind.Sparse ? Math.Round(nonZeros, 1) : 0;

    /// <summary>The first documents and queries become golden texts, against which the model can be tested wherever it is copied.</summary>
    private void Save(DemoContext context, RetrieverNetwork network)
    {
        const int GoldenTexts = 2;
        var tokens = new List<int>();
        foreach ((string text, bool isQuery) in context.Collection.Documents.Take(GoldenTexts).Select(d => (network.Contract.Compose(d), false))
            .Concat(context.Collection.Test.Take(GoldenTexts).Select(t => (t.Text, true))))
        {
            tokens.Clear();
            context.Tokenizer.Encode(text, network.Contract.TokenizationFor(isQuery ? RetrievalSide.Query : RetrievalSide.Document), tokens);
            network.AddGolden(text, isQuery, tokens);
        }

        string directory = context.Paths.Model(Word(kind));
        network.Save(directory);
        File.Copy(context.Paths.TokenizerFile, Path.Combine(directory, Path.GetFileName(context.Paths.TokenizerFile)), overwrite: true);
    }

    private static string? LatestCheckpoint(string directory) => !Directory.Exists(directory)
        ? null
        : Directory.GetDirectories(directory, "checkpoint-*").OrderBy(d => d.Length).ThenBy(d => d, StringComparer.Ordinal).LastOrDefault();
}
