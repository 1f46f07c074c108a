namespace Tern.Pipelines.Study;

/// <summary>One line of a chart; low and high bound each point, seeds apart.</summary>
public sealed record ChartSeries(string Name, IReadOnlyList<double> X, IReadOnlyList<double> Y, IReadOnlyList<double> Low, IReadOnlyList<double> High);

/// <summary>A chart as data: whoever draws it needs nothing else. X is logarithmic.</summary>
public sealed record StudyChart(string Name, string Title, string XLabel, string YLabel, IReadOnlyList<ChartSeries> Series);

/// <summary>The charts of a study: quality against parameters, non-zeros, and time of a search.</summary>
public static class StudyCharts
{
    public static IReadOnlyList<StudyChart> Of(StudyAnalysis analysis) =>
    [
        .. analysis.Collections.SelectMany(collection => new[]
        {
            Chart(analysis, collection, "parameters", "non-embedding parameters", (r, _) => r.NonEmbeddingParameters),
            Chart(analysis, collection, "nonzeros", "non-zeros of a document", (_, m) => m.DocumentNonZeros),
            Chart(analysis, collection, "microseconds", "microseconds a search", (_, m) => m.MicrosecondsPerQuery),
        }),
    ];

    private static StudyChart Chart(StudyAnalysis analysis, string collection, string name, string label, Func<CellRecord, CellMeasures, double> x)
    {
        var series = new List<ChartSeries>();
        foreach (var group in analysis.Records.Where(r => StudyAnalysis.On(r, collection) is not null).GroupBy(r => (r.Type, r.Objective)))
        {
            var points = group.GroupBy(r => r.NonEmbeddingParameters).OrderBy(g => g.Key).Select(size =>
            {
                (CellRecord Record, CellMeasures Measures)[] cells = [.. size.Select(r => (r, StudyAnalysis.On(r, collection)!))];
                double[] values = [.. cells.Select(c => c.Measures.Ndcg10)];
                return (X: cells.Average(c => x(c.Record, c.Measures)), Y: values.Average(), Low: values.Min(), High: values.Max());
            }).OrderBy(p => p.X).ToList();
            series.Add(new ChartSeries($"{group.Key.Type} {group.Key.Objective}", [.. points.Select(p => p.X)], [.. points.Select(p => p.Y)], [.. points.Select(p => p.Low)], [.. points.Select(p => p.High)]));
        }

        return new StudyChart($"{collection}-{name}", $"nDCG@10 on {collection} against {label}", label, "nDCG@10", series);
    }
}
