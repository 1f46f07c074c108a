namespace Tern.Pipelines.Suite;

/// <summary>Means over datasets, each group as one.</summary>
public static class SuiteMean
{
    /// <summary>The 13 collections over which the paper averages BEIR.</summary>
    public static IReadOnlyList<string> Paper { get; } =
    [
        "arguana", "climate-fever", "dbpedia-entity", "fever", "fiqa", "hotpotqa", "nfcorpus", "nq", "quora", "scidocs", "scifact", "trec-covid", "webis-touche2020",
    ];

    /// <summary>A measure's mean over groups of datasets, of which each is the mean of its own.</summary>
    public static double Of(IEnumerable<(SuiteDataset Dataset, SuiteResult Result)> results, string measure) =>
        results.GroupBy(r => r.Dataset.Group, StringComparer.Ordinal).Average(g => g.Average(r => r.Result.Measures[measure]));

    /// <summary>The paper's datasets, if all of them are there; otherwise empty.</summary>
    public static IReadOnlyList<(SuiteDataset Dataset, SuiteResult Result)> OfPaper(IReadOnlyList<(SuiteDataset Dataset, SuiteResult Result)> results)
    {
        (SuiteDataset Dataset, SuiteResult Result)[] own = [.. results.Where(r => Paper.Contains(r.Dataset.Name))];
        return own.Length == Paper.Count ? own : [];
    }
}
