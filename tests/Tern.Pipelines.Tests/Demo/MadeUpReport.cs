using Tern.Pipelines.Demo;

namespace Tern.Pipelines.Tests.Demo;

/// <summary>A report of invented numbers, with text in it that would break a page that does not encode.</summary>
internal static class MadeUpReport
{
    public const string Hostile = "List<T> & <script src=\"https://example.org/x.js\">";

    public static DemoReport Create(int steps = 300, int queries = 500)
    {
        var random = new Random(5);
        return new DemoReport
        {
            Results = Results(),
            SparseCurve = [.. Enumerable.Range(1, steps).Select(s => new CurvePoint(s, 4.2 * Math.Exp(-s / 90.0) + 0.6 + 0.3 * random.NextDouble(), 900.0 / (1 + s / 20.0) + 200, 1500.0 / (1 + s / 40.0) + 300))],
            DenseCurve = [.. Enumerable.Range(1, steps).Select(s => new CurvePoint(s, 4.1 * Math.Exp(-s / 120.0) + 0.9 + 0.3 * random.NextDouble(), 0, 0))],
            Outcomes = [.. Enumerable.Range(0, queries).Select(i => Outcome(i, random))],
            Examples = [Example()],
        };
    }

    public static DemoResults Results() => new()
    {
        Bm25 = new SystemFigures(0.336, 0.372, 0.663, 6.2, 410, 9, null),
        Dense = new SystemFigures(0.391, 0.43, 0.77, 29.4, 3900, 800, new PairedFigures(0.0004, 0.055, 0.035, 0.075, 700, 500, 878)),
        Sparse = new SystemFigures(0.452, 0.49, 0.83, 22.5, 1234, 2100, new PairedFigures(0.0001, 0.116, 0.096, 0.136, 800, 400, 878)),
        Hybrid = new SystemFigures(0.484, 0.52, 0.86, 58.1, 5544, 2900, new PairedFigures(0.0001, 0.148, 0.128, 0.168, 850, 350, 878)),
        Ablation = new AblationFigures(new SystemFigures(0.401, 0.44, 0.78, 20, 1200, 500, null), new PairedFigures(0.0001, 0.051, 0.031, 0.071, 600, 420, 1058), null, null),
        HybridWeights = new Dictionary<string, double> { ["sparse"] = 1, ["dense"] = 4.5, ["bm25"] = 0.1 },
        Collection = new CollectionFigures("the .NET API", "made up", "abc123", 57_357, 52_691, 1_652, 2_078),
        SparseTraining = new TrainingFigures(300, 64, 1_441_000, 0.61, 21_000, 225, 309, "f1"),
        DenseTraining = new TrainingFigures(300, 64, 1_433_000, 0.92, 26_000, 0, 0, "f2"),
        Seconds = new Dictionary<string, double> { ["collection"] = 4.4, ["train-sparse"] = 121.5 },
        Machine = "2 × made-up processor",
        Dotnet = ".NET 10",
        Recipe = new DemoRecipe(),
        Command = "tern demo --steps-sparse 300 --steps-dense 300",
    };

    private static QueryOutcome Outcome(int index, Random random)
    {
        double[] levels = [0, 0, 0.1, 0.2, 0.5, 1, 1];
        double bm25 = levels[random.Next(levels.Length)], sparse = levels[random.Next(levels.Length)];
        return new QueryOutcome($"q{index}", $"query {index} about {Hostile}", bm25, sparse, sparse, Math.Max(bm25, sparse), "System.String", Hostile, "System.Span");
    }

    private static ExplainedQuery Example()
    {
        const string Text = "method array copy List<T> range & more";
        return new ExplainedQuery(
            "make a copy of part of an array",
            [new QueryTerm("array", 1.8f, false), new QueryTerm("copy", 1.4f, false), new QueryTerm("slice", 0.9f, true)],
            "System.Array.Copy",
            "Copies a range of elements; " + Hostile,
            Text,
            7.25f,
            [new MatchedTerm("array", 1.8f, 2f, 3.6f, false), new MatchedTerm("copy", 1.4f, 2f, 2.8f, false), new MatchedTerm("slice", 0.9f, 0.94f, 0.85f, true)],
            [new FiredSpan(Text.IndexOf("array", StringComparison.Ordinal), 5, 1f), new FiredSpan(Text.IndexOf("copy", StringComparison.Ordinal), 4, 0.8f)],
            ["System.ArraySegment", Hostile]);
    }
}
