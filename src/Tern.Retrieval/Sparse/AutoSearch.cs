namespace Tern.Retrieval;

/// <summary>The planner: decides for each query which algorithm is cheaper.</summary>
internal sealed unsafe class AutoSearch : SearchAlgorithm
{
    // Above this the exhaustive scan is always cheaper (bench search, all sets).
    private const int LargestPrunedK = 300;

    public AutoSearch()
        : base("auto")
    {
    }

    internal override void Search(Postings postings, SearchContext context)
    {
        SearchAlgorithm chosen = context.K <= LargestPrunedK ? SearchAlgorithms.BlockMax : SearchAlgorithms.Exhaustive;
        chosen.Search(postings, context);
    }
}
