using Tern.Retrieval.Kernels;

namespace Tern.Retrieval;

/// <summary>How one search is made; the default is the fastest exact one. Every algorithm returns the same hits, unless an approximation is asked for.</summary>
public readonly record struct SparseSearchOptions
{
    /// <summary>One of <see cref="SearchAlgorithms.All"/>; the planner when null.</summary>
    public SearchAlgorithm? Algorithm { get; init; }

    /// <summary>What scores are made of; what the index was built for (<see cref="SparseIndex.Scoring"/>) when null.</summary>
    public ScoringMode? Scoring { get; init; }

    /// <summary>Hits below this score are left out; 0 leaves out none.</summary>
    public float MinScore { get; init; }

    /// <summary>The documents that may be returned; all when null.</summary>
    public DocumentFilter? Filter { get; init; }

    /// <summary>
    /// What may be left out; null for exact hits. <see cref="SearchCalibration.Choose"/> gives the one for a quality. The hits are the
    /// same for the same index and query, and always those of block-max search: <see cref="Algorithm"/> chooses only when it is exhaustive.
    /// </summary>
    public SearchApproximation? Approximation { get; init; }

    /// <summary>Counts what searches cost; null for nothing.</summary>
    internal SearchCounter? Counter { get; init; }

    /// <summary>Vector kernels; the machine's best when null.</summary>
    internal SearchKernels? Kernels { get; init; }
}
