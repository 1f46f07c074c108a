using Tern.Retrieval;

namespace Tern;

/// <summary>How an index is opened.</summary>
public sealed record RetrieverOptions
{
    /// <summary>Where the index's model lies now; null: where it was when the index was built.</summary>
    public string? ModelDirectory { get; init; }

    public ModelOptions Model { get; init; } = new();

    /// <summary>How a sparse index is searched; null leaves it to the planner. Hits do not depend on it.</summary>
    public SearchAlgorithm? Algorithm { get; init; }

    /// <summary>
    /// The recall that a search of a sparse index has to have at least, as its calibration measured it (<see cref="SearchCalibration"/>,
    /// tern index calibrate); below 1 it may be approximate, and <see cref="Retriever.Recall"/> says what was measured.
    /// </summary>
    public double Quality { get; init; } = 1;

    /// <summary>Which documents may be found, as <c>lang = en and year &gt;= 2020</c> over the index's fields; null: all.</summary>
    public string? Filter { get; init; }

    /// <summary>Compare all checksums of the index when it is opened.</summary>
    public bool Verify { get; init; } = true;
}
