namespace Tern.Retrieval;

/// <summary>
/// The planner: prunes where pruning has paid on this segment for such a k, and gives up on a query for which it does not.
/// Its choices change how long a search takes, never what it returns.
/// </summary>
internal sealed class AutoSearch : SearchAlgorithm
{
    // For so few the exhaustive scan is always cheaper (tern bench search).
    private const int FewPostings = 50_000;

    public AutoSearch()
        : base("auto")
    {
    }

    internal override void Search(Postings postings, SearchContext context)
    {
        double exhaustive = SearchCosts.Exhaustive(postings, context);
        if (context.Approximation is not null)
        {
            // What earlier queries taught may not decide here, since the hits depend on it.
            SearchAlgorithm chosen = context.LongTerms.IsEmpty || SearchCosts.Bounds(postings, context) > exhaustive ? SearchAlgorithms.Exhaustive : SearchAlgorithms.BlockMax;
            chosen.Search(postings, context);
            return;
        }

        if (context.IsCollecting || context.PostingCount < FewPostings || context.LongTerms.IsEmpty || SearchCosts.Bounds(postings, context) > exhaustive)
        {
            SearchAlgorithms.Exhaustive.Search(postings, context);
            return;
        }

        int kind = PlannerHistory.Kind(context.K, context.IsFiltered);
        if (!postings.History.ShouldPrune(kind))
        {
            SearchAlgorithms.Exhaustive.Search(postings, context);
            return;
        }

        bool done = BlockMaxSearch.TrySearch(postings, context, exhaustive, out double pruned);
        if (!done)
        {
            SearchAlgorithms.Exhaustive.Search(postings, context);
        }

        postings.History.Record(kind, done ? pruned : pruned + exhaustive, exhaustive);
    }
}
