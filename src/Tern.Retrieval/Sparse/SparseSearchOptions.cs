using Tern.Retrieval.Kernels;

namespace Tern.Retrieval;

/// <summary>How one search is made; the default is the fastest exact one. Every algorithm returns the same hits.</summary>
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

    /// <summary>Vector kernels; the machine's best when null.</summary>
    internal SearchKernels? Kernels { get; init; }
}
