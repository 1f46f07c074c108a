using Tern.Retrieval.Kernels;

namespace Tern.Retrieval;

/// <summary>
/// Window by window, adds every posting of every query term into sums that stay in the cache, then sweeps them for what can
/// still enter. Its cost does not depend on the distribution of the scores.
/// </summary>
internal sealed unsafe class ExhaustiveSearch : SearchAlgorithm
{
    // Of the window that comes next so much is asked for while one is added; the rest of a large one the processor foresees.
    // It foresees nothing of small ones, which end before it has learnt where they lead (tern bench search: 15 % of the time).
    private const int FetchedByteCount = 4096;

    public ExhaustiveSearch()
        : base("exhaustive")
    {
    }

    internal override void Search(Postings postings, SearchContext context)
    {
        SearchKernels kernels = context.Kernels;
        SearchBuffers buffers = context.Buffers;
        PostingLayout layout = postings.Layout;
        context.Cost += SearchCosts.Exhaustive(postings, context);
        context.MultiplyShortLists();
        Span<LongTerm> longTerms = context.LongTerms;
        Span<ShortTerm> shortTerms = context.ShortTerms;
        for (int window = 0; window < postings.WindowCount; window++)
        {
            bool any = false;
            for (int i = 0; i < longTerms.Length; i++)
            {
                if (i + 1 < longTerms.Length)
                {
                    PrefetchWindow(longTerms[i + 1], window);
                }
                else if (window + 1 < postings.WindowCount)
                {
                    PrefetchWindow(longTerms[0], window + 1);
                }

                ref readonly LongTerm term = ref longTerms[i];
                uint start = term.WindowOffsets[window];
                uint end = term.WindowOffsets[window + 1];
                if (end > start)
                {
                    kernels.Accumulate(new WindowReader(term.List + start, term.List + end), layout, term.Weight, buffers);
                    any = true;
                }
            }

            uint first = (uint)window << SegmentFormat.WindowShift;
            foreach (ref ShortTerm term in shortTerms)
            {
                int from = term.Next;
                term.Next = AddShort(buffers, term, first);
                any |= term.Next > from;
            }

            if (any)
            {
                Collect(postings, context, window);
            }
        }
    }

    private static void PrefetchWindow(in LongTerm term, int window)
    {
        uint start = term.WindowOffsets[window];
        Cache.Prefetch(term.List + start, term.List + Math.Min(term.WindowOffsets[window + 1], start + FetchedByteCount));
    }

    /// <summary>Adds a short list's postings of the window that begins at <paramref name="first"/>; returns where they end.</summary>
    private static int AddShort(SearchBuffers buffers, in ShortTerm term, uint first)
    {
        uint* ids = buffers.ShortIds.Pointer;
        uint* products = buffers.ShortProducts.Pointer;
        uint* sums = buffers.Sums;
        int i = term.Next;
        for (int end = term.End; i < end && ids[i] - first < SegmentFormat.WindowSize; i++)
        {
            sums[ids[i] - first] += products[i];
        }

        return i;
    }

    private static void Collect(Postings postings, SearchContext context, int window)
    {
        SearchBuffers buffers = context.Buffers;
        int first = window << SegmentFormat.WindowShift;
        int count = Math.Min(SegmentFormat.WindowSize, postings.DocumentCount - first);
        int found = context.Kernels.Collect(buffers.Sums, count, context.Floor, buffers.FoundIds, buffers.FoundSums);
        context.RaiseFloor(new ReadOnlySpan<uint>(buffers.FoundSums, found));
        for (int i = 0; i < found; i++)
        {
            context.Offer((uint)first + buffers.FoundIds[i], buffers.FoundSums[i]);
        }
    }
}
