namespace Tern.Retrieval;

/// <summary>
/// The planner: decides for each query which algorithm is cheaper. It scores the best leaves of a sixteenth of the
/// collection, which raises the floor for either, and reckons from the leaves there that still reach it.
/// </summary>
internal sealed class AutoSearch : SearchAlgorithm
{
    // Above this, and for few postings, the exhaustive scan is always cheaper (tern bench search).
    private const int LargestPrunedK = 128;
    private const int FewPostings = 50_000;

    // Nanoseconds, measured by tern bench search on hard500k; only their ratios matter.
    private const double PostingCost = 0.75;
    private const double WindowCost = 2000;
    private const double SpanBoundCost = 6;
    private const double ShortBoundCost = 3;
    private const double LeafTermCost = 16;

    // Of the leaves that reach the first floor so many, at least, fall below the last one's.
    private const double CandidatesPerScoredLeaf = 3;

    // Pruning must promise so much: a wrong guess costs more there than here.
    private const double Caution = 0.7;

    public AutoSearch()
        : base("auto")
    {
    }

    internal override void Search(Postings postings, SearchContext context) => Choose(postings, context).Search(postings, context);

    private static SearchAlgorithm Choose(Postings postings, SearchContext context)
    {
        if (context.IsCollecting || context.IsFiltered || context.K > LargestPrunedK || context.PostingCount < FewPostings || context.LongTerms.IsEmpty)
        {
            return SearchAlgorithms.Exhaustive;
        }

        int terms = context.LongTerms.Length;
        double exhaustive = (context.PostingCount * PostingCost) + (postings.WindowCount * WindowCost);
        double bounds = ((double)postings.SpanCount * terms * SpanBoundCost) + (context.ShortPostingCount * ShortBoundCost);
        if (bounds > Caution * exhaustive)
        {
            return SearchAlgorithms.Exhaustive;
        }

        double affordedLeaves = ((Caution * exhaustive) - bounds) / (terms * LeafTermCost) * SpanSample.Share(postings.SpanCount);
        int sampled = BlockMaxSearch.Sample(postings, context, 12 + (context.K / 5), affordedLeaves * CandidatesPerScoredLeaf);
        return sampled >= 0 && sampled < affordedLeaves ? SearchAlgorithms.BlockMax : SearchAlgorithms.Exhaustive;
    }
}
