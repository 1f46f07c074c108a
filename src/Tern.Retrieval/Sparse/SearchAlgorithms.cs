namespace Tern.Retrieval;

/// <summary>
/// A way to find the k best documents of a prepared query, exactly: every member returns the same hits in the same order
/// with the same score bits. Stateless; state lives in the context.
/// </summary>
public abstract class SearchAlgorithm
{
    private protected SearchAlgorithm(string name) => Name = name;

    public string Name { get; }

    public override string ToString() => Name;

    /// <summary>Offers every candidate to the context's queue; leaves the accumulators zero.</summary>
    internal abstract void Search(Postings postings, SearchContext context);
}

/// <summary>The search algorithms in order of preference; product, tests and benches enumerate them.</summary>
public static class SearchAlgorithms
{
    public static IReadOnlyList<SearchAlgorithm> All { get; } = [new ExhaustiveSearch()];

    /// <summary>What a search uses unless told otherwise.</summary>
    public static SearchAlgorithm Default => All[0];

    public static SearchAlgorithm ByName(string name) =>
        All.FirstOrDefault(algorithm => algorithm.Name == name)
        ?? throw new ArgumentException($"unknown search algorithm '{name}'; there are: {string.Join(", ", All)}", nameof(name));
}
