namespace Tern.Pipelines.Study;

/// <summary>What one cell found on one collection; per-query values are in the order of the judgements' topics.</summary>
public sealed record CellMeasures
{
    public required string Collection { get; init; }

    /// <summary>Hash of the collection's texts and judgements, and of what is searched for in it.</summary>
    public required string Data { get; init; }

    public required double Rr10 { get; init; }

    public required double Ndcg10 { get; init; }

    public required double R1000 { get; init; }

    /// <summary>Mean non-zeros of a query and of a document; the dimension for dense vectors.</summary>
    public required double QueryNonZeros { get; init; }

    public required double DocumentNonZeros { get; init; }

    /// <summary>Mean time of one query's search on one thread, encoding not included.</summary>
    public required double MicrosecondsPerQuery { get; init; }

    public required IReadOnlyList<double> ReciprocalRanks { get; init; }

    public required IReadOnlyList<double> Ndcg10PerQuery { get; init; }
}

/// <summary>What is known of a cell: written when its training is finished, and again with the measures of each collection.</summary>
public sealed record CellRecord
{
    public required string Cell { get; init; }

    public required string Size { get; init; }

    public required string Type { get; init; }

    public required string Objective { get; init; }

    public required int Seed { get; init; }

    /// <summary>Errors that it learned from; 0 for none.</summary>
    public double WrongPositiveShare { get; init; }

    public double TeacherNoise { get; init; }

    /// <summary>Hash of everything in the plan that its training depends on.</summary>
    public required string Plan { get; init; }

    /// <summary>Hash of the data that it was trained on.</summary>
    public required string Data { get; init; }

    public required long NonEmbeddingParameters { get; init; }

    public required double BudgetFlops { get; init; }

    /// <summary>Counted while training.</summary>
    public required double TrainingFlops { get; init; }

    public required int StepCount { get; init; }

    public required int BatchSize { get; init; }

    public required double FinalLoss { get; init; }

    public required double TrainingSeconds { get; init; }

    public required string Tern { get; init; }

    public required string Machine { get; init; }

    public required IReadOnlyList<CellMeasures> Measures { get; init; }

    internal StudyErrors Errors => new(WrongPositiveShare, TeacherNoise);
}

/// <summary>Time that a cell has trained so far, kept beside its checkpoints.</summary>
public sealed record CellProgress(double TrainingSeconds);
