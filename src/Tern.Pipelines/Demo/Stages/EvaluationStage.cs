using Tern.Model;
using Tern.Retrieval;

namespace Tern.Pipelines.Demo.Stages;

/// <summary>One system's measures; the reciprocal ranks are in the order of the evaluated topics.</summary>
internal sealed record SystemEvaluation(double Rr10, double Ndcg10, double R100, IReadOnlyList<double> ReciprocalRanks);

internal sealed record EvaluationFigures(
    IReadOnlyList<string> Topics,
    IReadOnlyDictionary<string, SystemEvaluation> Systems,
    IReadOnlyDictionary<string, PairedFigures> AgainstBm25,
    IReadOnlyDictionary<string, PairedFigures> FullAgainstBypassed);

/// <summary>Measures every test run with trec_eval's rules and compares them query by query.</summary>
internal sealed class EvaluationStage() : DemoStage(StageNames.Evaluation, "Evaluate")
{
    private static readonly string[] Full = ["bm25", "dense", "sparse", "hybrid"];
    private static readonly Measure Rr10 = Measure.Parse("RR@10");
    private static readonly Measure Ndcg10 = Measure.Parse("nDCG@10");
    private static readonly Measure R100 = Measure.Parse("R@100");

    public override IReadOnlyList<string> After => [StageNames.Bm25, StageNames.SearchSparse, StageNames.SearchDense, StageNames.Hybrid, StageNames.AblationSparse, StageNames.AblationDense];

    public override string Inputs(DemoContext context) => FormattableString.Invariant($"{context.Recipe.RandomizationRounds} {context.Recipe.Seed}");

    public override IReadOnlyList<string> Outputs(DemoContext context) => [];

    public override StageOutcome Run(DemoContext context, CancellationToken cancellation)
    {
        Qrels qrels = context.Collection.TestQrels;
        IReadOnlyList<string> topics = [];
        var systems = new Dictionary<string, SystemEvaluation>();
        string[] all = [.. Full, AblationStage.System(RepresentationKind.Sparse), AblationStage.System(RepresentationKind.Dense)];
        foreach (string system in all)
        {
            cancellation.ThrowIfCancellationRequested();
            EvaluationReport report = TrecEval.Evaluate(qrels, context.Run(system, "test"), [Rr10, Ndcg10, R100], new EvaluationOptions { CompleteTopics = true });
            topics = report.Topics;
            systems[system] = new SystemEvaluation(Rounded(report.Summary(Rr10)), Rounded(report.Summary(Ndcg10)), Rounded(report.Summary(R100)), [.. report.PerTopic(Rr10).Select(Rounded)]);
        }

        PairedFigures Compare(string system, string with) => Paired(systems[system].ReciprocalRanks, systems[with].ReciprocalRanks, context.Recipe);
        var figures = new EvaluationFigures(
            topics,
            systems,
            Full.Skip(1).ToDictionary(s => s, s => Compare(s, "bm25")),
            new[] { RepresentationKind.Sparse, RepresentationKind.Dense }.ToDictionary(TrainingStage.Word, k => Compare(TrainingStage.Word(k), AblationStage.System(k))));
        return new StageOutcome("RR@10 " + string.Join(", ", Full.Select(s => FormattableString.Invariant($"{s} {systems[s].Rr10:0.000}"))), figures);
    }

    private static PairedFigures Paired(IReadOnlyList<double> first, IReadOnlyList<double> second, DemoRecipe recipe)
    {
        PairedComparison comparison = RandomizationTest.Paired(first, second, recipe.RandomizationRounds, (ulong)recipe.Seed);
        return new PairedFigures(comparison.PValue, Rounded(comparison.MeanDifference), Rounded(comparison.IntervalLow), Rounded(comparison.IntervalHigh), comparison.Wins, comparison.Losses, comparison.Ties);
    }

    private static double Rounded(double value) => Math.Round(value, 6);
}
