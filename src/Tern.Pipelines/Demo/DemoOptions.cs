namespace Tern.Pipelines.Demo;

/// <summary>What one run of the demo is asked to do; the recipe holds what its results depend on.</summary>
public sealed record DemoOptions
{
    public string OutputDirectory { get; init; } = Path.Combine("artifacts", "demo");

    /// <summary>A BEIR directory with train, dev and test judgements to use in place of the SDK's documentation.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>
    /// Wall time that the whole demo should take: training gets what the other stages leave, measured once. Null trains the
    /// recipe's step counts, so that results do not depend on the machine's speed.
    /// </summary>
    public double? Minutes { get; init; }

    /// <summary>Training steps of the sparse model in place of the recipe's or those that the time allows.</summary>
    public int? SparseSteps { get; init; }

    /// <summary>Training steps of the dense model, likewise.</summary>
    public int? DenseSteps { get; init; }

    /// <summary>Deletes what an earlier run left in the output directory before starting.</summary>
    public bool Fresh { get; init; }

    /// <summary>Threads to compute with; 0 takes all processors.</summary>
    public int Threads { get; init; }

    /// <summary>Queries to explain; none given: three of the test queries, or the recipe's own for the SDK's documentation.</summary>
    public IReadOnlyList<string> ExampleQueries { get; init; } = [];

    public DemoRecipe Recipe { get; init; } = new();
}
