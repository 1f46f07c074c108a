namespace Tern.Pipelines.Demo;

/// <summary>What <c>results.json</c> holds: the table, what it cost, and what is needed to make it again.</summary>
public sealed record DemoResults
{
    public required SystemFigures Bm25 { get; init; }

    public required SystemFigures Dense { get; init; }

    public required SystemFigures Sparse { get; init; }

    public required SystemFigures Hybrid { get; init; }

    public required AblationFigures Ablation { get; init; }

    /// <summary>Factors on the systems' scores in the hybrid, chosen on the dev queries.</summary>
    public required IReadOnlyDictionary<string, double> HybridWeights { get; init; }

    public required CollectionFigures Collection { get; init; }

    public required TrainingFigures SparseTraining { get; init; }

    public required TrainingFigures DenseTraining { get; init; }

    /// <summary>Wall seconds by stage, of the run in which the stage was done.</summary>
    public required IReadOnlyDictionary<string, double> Seconds { get; init; }

    public required string Machine { get; init; }

    public required string Dotnet { get; init; }

    public required DemoRecipe Recipe { get; init; }

    /// <summary>The command that makes the same numbers again, step counts included.</summary>
    public required string Command { get; init; }
}

/// <summary>
/// One row of the table, on the test queries over all documents. <paramref name="UsPerQuery"/> is one thread's search time;
/// <paramref name="EncodeUsPerQuery"/> what turning the text into the searched form takes before it (BM25: word analysis).
/// </summary>
public sealed record SystemFigures(double Rr10, double Ndcg10, double R100, double IndexMb, double UsPerQuery, double EncodeUsPerQuery, PairedFigures? AgainstBm25);

/// <summary>
/// RR@10 of one system against another's, query by query: mean difference with its 95 % bootstrap interval;
/// <paramref name="P"/> is two-sided, by paired randomisation.
/// </summary>
public sealed record PairedFigures(double P, double MeanDifference, double IntervalLow, double IntervalHigh, int Wins, int Losses, int Ties);

/// <summary>The models with their transformer blocks bypassed, each compared with the full model beside it.</summary>
public sealed record AblationFigures(SystemFigures SparseWithoutBlocks, PairedFigures SparseFullAgainstIt, SystemFigures? DenseWithoutBlocks, PairedFigures? DenseFullAgainstIt);

/// <summary>What was searched. <paramref name="Fingerprint"/> covers every file of the collection.</summary>
public sealed record CollectionFigures(string Name, string Source, string Fingerprint, int Documents, int TrainExamples, int DevQueries, int TestQueries);

/// <summary>How one model was trained. Non-zeros are means over the test queries and all documents; 0 for a dense model.</summary>
public sealed record TrainingFigures(int Steps, int BatchSize, long ParameterCount, double FinalLoss, double TokensPerSecond, double QueryNonZeros, double DocumentNonZeros, string ModelFingerprint);
