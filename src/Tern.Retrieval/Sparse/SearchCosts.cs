namespace Tern.Retrieval;

/// <summary>
/// What searches cost, in nanoseconds of one processor, reckoned from counts, so that plans do not depend on the clock. Measured by
/// tern bench search on half a million documents; only the ratios matter.
/// </summary>
internal static class SearchCosts
{
    private const double Posting = 0.65;
    private const double Window = 2000;
    private const double SpanOfTerm = 6;
    private const double ShortPosting = 3;
    private const double VisitedTerm = 6;
    private const double ScoredTerm = 20;

    // Of the leaves that reach the floor at some moment so many will be visited, and of those so many scored, as it goes on rising.
    private const double VisitedShare = 0.6;
    private const double ScoredShare = 0.4;

    /// <summary>In nearly all queries the k-th best score is more than this share of the k-th best bound of a leaf.</summary>
    public const double LeastScoreOfBound = 0.4;

    public static double Exhaustive(Postings postings, SearchContext context) => (context.PostingCount * Posting) + (postings.WindowCount * Window);

    /// <summary>Of bounding all leaves.</summary>
    public static double Bounds(Postings postings, SearchContext context) =>
        ((double)postings.SpanCount * context.BoundedTermCount * SpanOfTerm) + (context.ShortPostingCount * ShortPosting);

    public static double Leaves(SearchContext context, int visited, int scored) =>
        context.LongTerms.Length * ((visited * VisitedTerm) + (scored * ScoredTerm));

    /// <summary>Of leaves whose bounds reach the floor now.</summary>
    public static double Remaining(SearchContext context, int reaching) =>
        context.LongTerms.Length * reaching * VisitedShare * (VisitedTerm + (ScoredShare * ScoredTerm));
}
