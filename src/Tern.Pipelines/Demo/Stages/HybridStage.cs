using Tern.Retrieval;

namespace Tern.Pipelines.Demo.Stages;

internal sealed record HybridFigures(IReadOnlyDictionary<string, double> Weights, double DevRr10, double UsPerQuery)
{
    /// <summary>Searching all systems that have a weight, and adding their scores.</summary>
    public SearchFigures Search(SearchFigures bm25, SearchFigures dense, SearchFigures sparse)
    {
        SearchFigures[] used = [.. new[] { ("bm25", bm25), ("dense", dense), ("sparse", sparse) }.Where(s => Weights[s.Item1] > 0).Select(s => s.Item2)];
        return new SearchFigures(
            Math.Round(used.Sum(s => s.IndexMb), 2),
            Math.Round(UsPerQuery + used.Sum(s => s.UsPerQuery), 1),
            Math.Round(used.Sum(s => s.EncodeUsPerQuery), 1),
            0);
    }
}

/// <summary>Adds the three systems' scores with weights chosen on the dev queries; the test queries have no say.</summary>
internal sealed class HybridStage() : DemoStage(StageNames.Hybrid, "Weigh the hybrid on dev")
{
    private static readonly string[] Systems = ["sparse", "dense", "bm25"];

    public override IReadOnlyList<string> After => [StageNames.Bm25, StageNames.SearchSparse, StageNames.SearchDense];

    public override string Inputs(DemoContext context) => "";

    public override IReadOnlyList<string> Outputs(DemoContext context) => [context.Paths.Run("hybrid", "test")];

    public override StageOutcome Run(DemoContext context, CancellationToken cancellation)
    {
        Run[] Read(string split) => [.. Systems.Select(s => context.Run(s, split))];
        (double[] weights, double devRr10) = FusionWeights.Choose(Read("dev"), context.Collection.DevQrels);
        cancellation.ThrowIfCancellationRequested();

        Run[] test = Read("test");
        int depth = context.Recipe.SearchDepth;
        context.SaveRun("hybrid", "test", Fusion.Weighted(test, weights, ScoreNormalization.MinMax, depth, "hybrid"));
        IReadOnlyList<ScoredDocument>[][] rankings = [.. context.Collection.Test.Select(q => test.Select(run => run[q.Id]).ToArray())];
        double us = SplitSearch.MicrosecondsPerQuery(rankings.Length, i => Fusion.Weighted(rankings[i], weights));
        Dictionary<string, double> byName = Systems.Zip(weights).ToDictionary(w => w.First, w => w.Second);
        return new StageOutcome(
            string.Join(", ", byName.Select(w => FormattableString.Invariant($"{w.Key} × {w.Value:0.##}"))) + FormattableString.Invariant($"; RR@10 {devRr10:0.000} on dev"),
            new HybridFigures(byName, Math.Round(devRr10, 6), us));
    }
}
