namespace Tern.Retrieval;

/// <summary>
/// A way to find the documents of a prepared query whose sums reach its floor, exactly: every member leads to the same hits
/// in the same order with the same score bits. Stateless; state lives in the context.
/// </summary>
public abstract class SearchAlgorithm
{
    private protected SearchAlgorithm(string name) => Name = name;

    public string Name { get; }

    public override string ToString() => Name;

    /// <summary>Offers every candidate to the context; leaves its sums zero.</summary>
    internal abstract void Search(Postings postings, SearchContext context);
}

/// <summary>The search algorithms in order of preference; product, tests and benches enumerate them.</summary>
public static class SearchAlgorithms
{
    internal static readonly ExhaustiveSearch Exhaustive = new();

    internal static readonly BlockMaxSearch BlockMax = new();

    public static IReadOnlyList<SearchAlgorithm> All { get; } = [new AutoSearch(), BlockMax, Exhaustive];

    /// <summary>What a search uses unless told otherwise.</summary>
    public static SearchAlgorithm Default => All[0];

    public static SearchAlgorithm ByName(string name) =>
        All.FirstOrDefault(algorithm => algorithm.Name == name)
        ?? throw new ArgumentException($"unknown search algorithm '{name}'; there are: {string.Join(", ", All)}", nameof(name));
}
