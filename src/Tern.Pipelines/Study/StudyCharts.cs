namespace Tern.Pipelines.Study;

/// <summary>One line of a chart; low and high bound each point. Type and objective choose how it is drawn: their numbers are the plan's, whatever is missing.</summary>
public sealed record ChartSeries(string Type, string Objective, int ObjectiveNumber, IReadOnlyList<double> X, IReadOnlyList<double> Y, IReadOnlyList<double> Low, IReadOnlyList<double> High)
{
    public string Name => $"{Type} {Objective}";
}

/// <summary>A chart as data: whoever draws it needs nothing else. The note says what its bars are.</summary>
public sealed record StudyChart(string Name, string Title, string Note, string XLabel, string YLabel, bool XIsLogarithmic, IReadOnlyList<ChartSeries> Series);

/// <summary>The charts of a study: quality against parameters, operations of encoding, non-zeros and time of a search, and what errors in the supervision leave of it.</summary>
public static class StudyCharts
{
    public static IReadOnlyList<StudyChart> Of(StudyPlan plan, StudyAnalysis analysis) =>
    [
        .. analysis.Collections.SelectMany(collection => new[]
        {
            Chart(plan, analysis, collection, "parameters", "non-embedding parameters", (r, _) => r.NonEmbeddingParameters),
            Chart(plan, analysis, collection, "operations", "operations a token to encode", (r, _) => plan.EncodingFlopsPerToken(plan.Sizes.Single(s => s.Name == r.Size), r.Type)),
            Chart(plan, analysis, collection, "nonzeros", "non-zeros of a document", (_, m) => m.DocumentNonZeros),
            Chart(plan, analysis, collection, "microseconds", "microseconds a search", (_, m) => m.MicrosecondsPerQuery),
        }),
        .. analysis.Robustness.GroupBy(p => (p.Collection, p.Errors, p.Size)).Select(g => Robustness(plan, g.Key.Collection, g.Key.Errors, g.Key.Size, [.. g])),
    ];

    private static StudyChart Chart(StudyPlan plan, StudyAnalysis analysis, string collection, string name, string label, Func<CellRecord, CellMeasures, double> x)
    {
        var series = new List<ChartSeries>();
        foreach ((string type, string objective, int number) in Order(plan))
        {
            var points = analysis.Records.Where(r => r.Type == type && r.Objective == objective && StudyAnalysis.On(r, collection) is not null).GroupBy(r => r.NonEmbeddingParameters).Select(size =>
            {
                (CellRecord Record, CellMeasures Measures)[] cells = [.. size.Select(r => (r, StudyAnalysis.On(r, collection)!))];
                double[] values = [.. cells.Select(c => c.Measures.Ndcg10)];
                return (X: cells.Average(c => x(c.Record, c.Measures)), Y: values.Average(), Low: values.Min(), High: values.Max());
            }).OrderBy(p => p.X).ToList();
            if (points.Count > 0)
            {
                series.Add(new ChartSeries(type, objective, number, [.. points.Select(p => p.X)], [.. points.Select(p => p.Y)], [.. points.Select(p => p.Low)], [.. points.Select(p => p.High)]));
            }
        }

        return new StudyChart($"{collection}-{name}", $"nDCG@10 on {collection} against {label}", "Points are means over seeds, bars go from the lowest seed to the highest.", label, "nDCG@10", XIsLogarithmic: true, series);
    }

    private static StudyChart Robustness(StudyPlan plan, string collection, string errors, string size, RobustnessPoint[] points)
    {
        var series = new List<ChartSeries>();
        foreach ((string type, string objective, int number) in Order(plan))
        {
            RobustnessPoint[] own = [.. points.Where(p => p.Type == type && p.Objective == objective)];
            if (own.Length > 0)
            {
                series.Add(new ChartSeries(type, objective, number, [0, .. own.Select(p => p.Level)], [1, .. own.Select(p => p.Kept)], [1, .. own.Select(p => p.Low)], [1, .. own.Select(p => p.High)]));
            }
        }

        bool positives = errors == RobustnessAnalysis.WrongPositives;
        return new StudyChart(
            $"{collection}-{size}-{(positives ? "wrong" : "noise")}", $"What is left of nDCG@10 on {collection} with {errors}, {size}", "Bars are 95 % intervals over queries drawn with replacement.",
            positives ? "share of wrong positives" : "noise on teacher scores, in their standard deviations", "nDCG@10 / without errors", XIsLogarithmic: false, series);
    }

    /// <summary>Types outermost, as the plan has both.</summary>
    private static IEnumerable<(string Type, string Objective, int Number)> Order(StudyPlan plan) =>
        plan.Types.SelectMany(type => plan.Objectives.Select((objective, number) => (type, objective.Name, number)));
}
