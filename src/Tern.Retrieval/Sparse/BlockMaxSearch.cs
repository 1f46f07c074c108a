using System.Runtime.InteropServices;
using Tern.Retrieval.Kernels;

namespace Tern.Retrieval;

/// <summary>
/// Bounds every leaf of 16 documents by the sum of its terms' block maxima, in bytes relative to the floor, and scores
/// leaves by descending bound until a bound is below the floor. A leaf whose bound equals it may hold a tie, so it is
/// scored. Short lists have no maxima: theirs are found on the way.
/// </summary>
internal sealed unsafe class BlockMaxSearch : SearchAlgorithm
{
    private const double LargestBound = 254;

    // Bounds saturate at so many times the floor that the best single term gives: more than the best leaves reach (lower
    // leaves them in no order, higher makes bounds coarser; tern bench search).
    private const double LargestRise = 7;

    public BlockMaxSearch()
        : base("block-max")
    {
    }

    internal override void Search(Postings postings, SearchContext context) => TrySearch(postings, context, double.PositiveInfinity, out _);

    /// <summary>
    /// Gives up, with nothing offered but the floor raised, as soon as what remains to be scored seems to cost more than
    /// <paramref name="affordable"/>. Costs are reckoned by <see cref="SearchCosts"/>.
    /// </summary>
    internal static bool TrySearch(Postings postings, SearchContext context, double affordable, out double cost)
    {
        byte* bounds = ClearBounds(postings, context);
        double unitsPerScore = UnitsPerScore(postings, context);
        AddLongBounds(postings, context, unitsPerScore, bounds);
        ShortBounds.Add(context, unitsPerScore, bounds);
        if (SearchCosts.Remaining(context, LikelyVisits(postings, context, unitsPerScore, affordable)) > affordable)
        {
            // Hopeless: not even worth listing and sorting the candidates.
            context.VisitedLeafCount = context.ScoredLeafCount = 0;
            cost = SearchCosts.Bounds(postings, context);
            context.Cost += cost;
            return false;
        }

        // Under a filter the best bounds may be those of documents that are not admitted, so no budget holds.
        int budget = context.Approximation is { } approximation && !context.IsFiltered ? approximation.LeafBudget : int.MaxValue;
        bool done = TryScoreLeaves(postings, context, unitsPerScore, budget, affordable, out bool isCut);
        cost = SearchCosts.Bounds(postings, context) + SearchCosts.Leaves(context, context.VisitedLeafCount, context.ScoredLeafCount);
        if (isCut && !context.Queue.IsFull)
        {
            // Fewer hits than were asked for, and there may be more.
            context.ForgetOffers();
            done = TryScoreLeaves(postings, context, unitsPerScore, int.MaxValue, affordable, out _);
            cost += SearchCosts.Leaves(context, context.VisitedLeafCount, context.ScoredLeafCount);
        }

        context.Cost += cost;
        if (!done)
        {
            context.ForgetOffers();
        }

        return done;
    }

    /// <summary>Scores the leaves that reach the floor, at most <paramref name="budget"/> of them; says whether that left out some.</summary>
    private static bool TryScoreLeaves(Postings postings, SearchContext context, double unitsPerScore, int budget, double affordable, out bool isCut)
    {
        byte* bounds = context.Buffers.Bounds.Pointer;
        byte least = Cut(context.Floor, unitsPerScore);
        byte cut = budget == int.MaxValue ? least : BoundReachedBy(postings, context, budget, least);
        int count = context.Kernels.Candidates(bounds, postings.SpanCount, cut, context.Buffers.Candidates.Ensure(64L * postings.SpanCount));
        OrderCandidates(context, count);
        isCut = cut > least || count > budget;
        int chained = ShortBounds.Chain(context, cut, bounds);
        var scorer = new LeafScorer(postings, context, unitsPerScore);
        bool done = scorer.TryScore(Math.Min(count, budget), affordable);
        ShortBounds.Unchain(context, chained);
        return done;
    }

    private static byte* ClearBounds(Postings postings, SearchContext context)
    {
        long leafCount = 64L * postings.SpanCount;
        byte* bounds = context.Buffers.Bounds.Ensure(leafCount);
        NativeMemory.Clear(bounds, (nuint)leafCount);
        context.Buffers.Heads.Ensure(leafCount);
        return bounds;
    }

    /// <summary>What one unit of a sum is in a bound.</summary>
    private static double UnitsPerScore(Postings postings, SearchContext context)
    {
        double most = 0;
        foreach (ref readonly LongTerm term in context.LongTerms)
        {
            most += (double)term.Weight * postings.Entry(term.Row)->LargestImpact;
        }

        foreach (ref readonly ShortTerm term in context.ShortTerms)
        {
            most += (double)term.Weight * postings.Entry(term.Row)->LargestImpact;
        }

        return LargestBound / (context.Floor > 1 ? Math.Min(most, LargestRise * context.Floor) : most);
    }

    /// <summary>Adds the maxima of the long lists that count in bounds.</summary>
    private static void AddLongBounds(Postings postings, SearchContext context, double unitsPerScore, byte* bounds)
    {
        int termCount = context.BoundedTermCount;
        long noteCount = (long)postings.SpanCount * termCount;
        byte* tables = context.Buffers.BoundTable.Ensure((long)BoundMap.TableSize * termCount);
        BoundedList* lists = context.Buffers.BoundedLists.Ensure(termCount);
        ulong* spanLeaves = context.Buffers.SpanLeaves.Ensure(noteCount);
        NativeMemory.Clear(spanLeaves, (nuint)noteCount * sizeof(ulong));
        for (int i = 0; i < termCount; i++)
        {
            ref LongTerm term = ref context.LongTerms[i];
            BlockMaxima maxima = postings.Maxima(term.Row);
            term.Maxima = maxima.Maxima;
            maxima.PrefetchWord(0);
            lists[i] = new BoundedList { Maxima = maxima, Map = BoundMap.For(term.Weight, unitsPerScore, tables + ((long)BoundMap.TableSize * i)) };
        }

        context.Kernels.AddBounds(lists, termCount, (postings.SpanCount + 31) >> 5, bounds, spanLeaves, context.Buffers.SpanMaxima.Ensure(noteCount));
    }

    /// <summary>The least bound of a leaf that can hold a sum of at least the floor.</summary>
    internal static byte Cut(uint floor, double unitsPerScore) => (byte)Math.Clamp(Math.Ceiling((floor * unitsPerScore) - 1e-6), 1, 255);

    /// <summary>
    /// How many leaves reach the floor, or, if those cost too much, will still do so once the best are scored, as their bounds
    /// let one guess.
    /// </summary>
    private static int LikelyVisits(Postings postings, SearchContext context, double unitsPerScore, double affordable)
    {
        int low = Cut(context.Floor, unitsPerScore);
        int reaching = Reaching(postings, context, low);
        if (SearchCosts.Remaining(context, reaching) <= affordable)
        {
            return reaching;
        }

        int ofBound = (int)(SearchCosts.LeastScoreOfBound * BoundReachedBy(postings, context, context.K, (byte)low));
        return Reaching(postings, context, Math.Max(low, ofBound));
    }

    /// <summary>The greatest bound that so many leaves reach, or <paramref name="least"/> if fewer reach that.</summary>
    private static byte BoundReachedBy(Postings postings, SearchContext context, int leafCount, byte least)
    {
        int low = least;
        for (int high = byte.MaxValue; low < high;)
        {
            int middle = (low + high + 1) / 2;
            (low, high) = Reaching(postings, context, middle) >= leafCount ? (middle, high) : (low, middle - 1);
        }

        return (byte)low;
    }

    private static int Reaching(Postings postings, SearchContext context, int bound) =>
        context.Kernels.CountAtLeast(context.Buffers.Bounds.Pointer, postings.SpanCount, (byte)bound);

    /// <summary>Sorts the candidates by descending bound.</summary>
    private static void OrderCandidates(SearchContext context, int count)
    {
        SearchBuffers buffers = context.Buffers;
        byte* bounds = buffers.Bounds.Pointer;
        uint* candidates = buffers.Candidates.Pointer;
        uint* ordered = buffers.OrderedCandidates.Ensure(count);
        int* starts = stackalloc int[257];
        new Span<int>(starts, 257).Clear();
        for (int i = 0; i < count; i++)
        {
            starts[256 - bounds[candidates[i]]]++;
        }

        for (int i = 1; i <= 256; i++)
        {
            starts[i] += starts[i - 1];
        }

        for (int i = 0; i < count; i++)
        {
            ordered[starts[255 - bounds[candidates[i]]]++] = candidates[i];
        }
    }
}
