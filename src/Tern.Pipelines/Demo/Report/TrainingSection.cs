namespace Tern.Pipelines.Demo.Report;

/// <summary>How the two models learned: loss curves, and the sparse model's non-zeros over time.</summary>
internal static class TrainingSection
{
    private const int PointCount = 160;

    public static void Render(HtmlText page, DemoReport report)
    {
        DemoResults results = report.Results;
        page.Element("h2", "Training");
        Describe(page, "sparse", results.SparseTraining, results.Seconds.GetValueOrDefault("train_sparse"));
        Describe(page, "dense", results.DenseTraining, results.Seconds.GetValueOrDefault("train_dense"));
        LineChart.Render(page, "Loss", "step", [Series("sparse", 0, report.SparseCurve, p => p.Loss), Series("dense", 1, report.DenseCurve, p => p.Loss)]);
        LineChart.Render(
            page,
            "Terms with weight in a sparse vector",
            "step",
            [Series("documents", 0, report.SparseCurve, p => p.DocumentNonZeros), Series("queries", 1, report.SparseCurve, p => p.QueryNonZeros)]);
    }

    private static void Describe(HtmlText page, string name, TrainingFigures figures, double seconds)
    {
        string nonZeros = figures.DocumentNonZeros > 0
            ? FormattableString.Invariant($" In the end a query has {figures.QueryNonZeros:0} weighted terms and a document {figures.DocumentNonZeros:0}.")
            : "";
        page.Element("p", FormattableString.Invariant($"The {name} model ({figures.ParameterCount:#,0} parameters, from random weights) saw {(long)figures.Steps * figures.BatchSize:#,0} pairs in {figures.Steps:#,0} steps and {seconds:0} s, {figures.TokensPerSecond:#,0} tokens a second.") + nonZeros);
    }

    private static ChartSeries Series(string name, int color, IReadOnlyList<CurvePoint> curve, Func<CurvePoint, double> value) =>
        new(name, color, LineChart.Thin([.. curve.Select(p => ((double)p.Step, value(p)))], PointCount));
}
