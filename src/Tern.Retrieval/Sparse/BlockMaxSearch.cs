using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Tern.Retrieval.Kernels;

namespace Tern.Retrieval;

/// <summary>
/// Bounds every leaf of 16 documents by the sum of its terms' block maxima, in bytes relative to the floor, and scores
/// leaves by descending bound until a bound is below the floor. A leaf whose bound equals it may hold a tie, so it is
/// scored. Short lists have no maxima: theirs are found on the way, and their postings are chained by leaf.
/// </summary>
internal sealed unsafe class BlockMaxSearch : SearchAlgorithm
{
    private const double LargestBound = 254;

    public BlockMaxSearch()
        : base("block-max")
    {
    }

    internal override void Search(Postings postings, SearchContext context)
    {
        byte* bounds = ClearBounds(postings, context);
        double unitsPerScore = UnitsPerScore(postings, context);
        AddLongBounds(postings, context, unitsPerScore, isSample: false, bounds);
        AddShortBounds(context, unitsPerScore, bounds);
        int count = OrderCandidates(postings, context, unitsPerScore);
        context.CandidateCount = count;
        new LeafScorer(postings, context, unitsPerScore).Score(count);
        ClearHeads(context);
    }

    /// <summary>
    /// Scores the most promising leaves of a <see cref="SpanSample"/>, so that the floor rises to what k documents are known to
    /// reach, and forgets the documents. Returns how many leaves of the sample can still reach it; −1, before scoring, if more
    /// than <paramref name="mostCandidates"/> can reach the floor as it was. Short lists are left out: sums are too low, which
    /// a floor may be, and reading them costs too much for a guess.
    /// </summary>
    internal static int Sample(Postings postings, SearchContext context, int mostScored, double mostCandidates)
    {
        byte* bounds = ClearBounds(postings, context);
        double unitsPerScore = UnitsPerScore(postings, context);
        AddLongBounds(postings, context, unitsPerScore, isSample: true, bounds);
        int count = OrderCandidates(postings, context, unitsPerScore);
        if (count > mostCandidates)
        {
            return -1;
        }

        new LeafScorer(postings, context, unitsPerScore).Score(Math.Min(count, mostScored));
        context.ForgetOffers();
        byte cut = Cut(context.Floor, unitsPerScore);
        uint* ordered = context.Buffers.OrderedCandidates.Pointer;
        while (count > 0 && bounds[ordered[count - 1]] < cut)
        {
            count--;
        }

        return count;
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

        return LargestBound / (context.Floor > 1 ? Math.Min(most, context.SaturationFactor * context.Floor) : most);
    }

    /// <summary>Adds the maxima of all long lists.</summary>
    private static void AddLongBounds(Postings postings, SearchContext context, double unitsPerScore, bool isSample, byte* bounds)
    {
        byte* table = context.Buffers.BoundTable.Ensure(BoundMap.TableSize);
        foreach (ref readonly LongTerm term in context.LongTerms)
        {
            context.Kernels.AddBounds(postings.Maxima(term.Row), BoundMap.For(term.Weight, unitsPerScore, table), isSample, bounds);
        }
    }

    /// <summary>The least bound of a leaf that can hold a sum of at least the floor.</summary>
    private static byte Cut(uint floor, double unitsPerScore) => (byte)Math.Clamp(Math.Ceiling((floor * unitsPerScore) - 1e-6), 1, 255);

    private static void AddShortBounds(SearchContext context, double unitsPerScore, byte* bounds)
    {
        SearchBuffers buffers = context.Buffers;
        uint* heads = buffers.Heads.Pointer;
        uint* next = buffers.ShortNext.Ensure(context.ShortPostingCount);
        uint* ids = buffers.ShortIds.Pointer;
        uint* products = buffers.ShortProducts.Pointer;
        // A fixed-point factor, rounded up: bounds may be too high, never too low.
        ulong factor = (ulong)Math.Ceiling(unitsPerScore * (1 << 24));
        foreach (ref readonly ShortTerm term in context.ShortTerms)
        {
            for (int i = term.First; i < term.End;)
            {
                uint leaf = ids[i] >> SegmentFormat.LeafShift;
                uint most = 0;
                uint head = heads[leaf];
                do
                {
                    most = Math.Max(most, products[i]);
                    next[i] = head;
                    head = (uint)++i;
                }
                while (i < term.End && ids[i] >> SegmentFormat.LeafShift == leaf);
                heads[leaf] = head;
                bounds[leaf] = (byte)Math.Min(255, bounds[leaf] + (((most * factor) + (1 << 24) - 1) >> 24));
            }
        }
    }

    private static void ClearHeads(SearchContext context)
    {
        uint* heads = context.Buffers.Heads.Pointer;
        uint* ids = context.Buffers.ShortIds.Pointer;
        int count = context.ShortPostingCount;
        for (int i = 0; i < count; i++)
        {
            heads[ids[i] >> SegmentFormat.LeafShift] = 0;
        }
    }

    /// <summary>Sorts the leaves that can reach the floor by descending bound; returns how many there are.</summary>
    private static int OrderCandidates(Postings postings, SearchContext context, double unitsPerScore)
    {
        SearchBuffers buffers = context.Buffers;
        long leafCount = 64L * postings.SpanCount;
        byte* bounds = buffers.Bounds.Pointer;
        uint* candidates = buffers.Candidates.Ensure(leafCount);
        uint* ordered = buffers.OrderedCandidates.Ensure(leafCount);
        int count = context.Kernels.Candidates(bounds, postings.SpanCount, Cut(context.Floor, unitsPerScore), candidates);
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

        return count;
    }

    /// <summary>Scores leaves one after the other, asking for the memory of the next ones ahead.</summary>
    private readonly ref struct LeafScorer
    {
        // Leaves between being looked up, located and scored: memory arrives meanwhile. A power of two.
        private const int RingSize = 8;
        private const int Ahead = 5;
        private const int Closer = 2;

        private readonly SearchContext _context;
        private readonly SearchBuffers _buffers;
        private readonly Postings _postings;
        private readonly double _unitsPerScore;
        private readonly LeafPart* _waiting; // [RingSize, terms]
        private readonly LeafPart* _located; // [RingSize, 2 · terms]
        private readonly BlockMaxima* _maxima;
        private readonly int _termCount;

        public LeafScorer(Postings postings, SearchContext context, double unitsPerScore)
        {
            _context = context;
            _buffers = context.Buffers;
            _postings = postings;
            _unitsPerScore = unitsPerScore;
            _termCount = context.LongTerms.Length;
            _waiting = _buffers.Parts.Ensure(3L * RingSize * (_termCount + 1));
            _located = _waiting + (RingSize * (_termCount + 1));
            _maxima = _buffers.Maxima.Ensure(_termCount);
            for (int i = 0; i < _termCount; i++)
            {
                _maxima[i] = postings.Maxima(context.LongTerms[i].Row);
            }
        }

        /// <summary>Scores the first so many of the ordered candidates, as far as their bounds reach the floor.</summary>
        public void Score(int count)
        {
            uint* leaves = _buffers.OrderedCandidates.Pointer;
            byte* bounds = _buffers.Bounds.Pointer;
            int* waitingCounts = stackalloc int[RingSize];
            int* locatedCounts = stackalloc int[RingSize];
            uint floor = _context.Floor;
            byte cut = Cut(floor, _unitsPerScore);
            int scored = 0;
            for (int i = -Ahead; i < count; i++)
            {
                if (i + Ahead < count)
                {
                    int slot = (i + Ahead) & (RingSize - 1);
                    waitingCounts[slot] = FindParts(leaves[i + Ahead], Waiting(slot));
                }

                if (i + Closer >= 0 && i + Closer < count)
                {
                    int slot = (i + Closer) & (RingSize - 1);
                    locatedCounts[slot] = LeafPart.Locate(Waiting(slot), waitingCounts[slot], FirstId(leaves[i + Closer]), Located(slot));
                    Prefetch(Located(slot), locatedCounts[slot]);
                }

                if (i < 0)
                {
                    continue;
                }

                if (bounds[leaves[i]] < cut)
                {
                    break;
                }

                scored++;
                ScoreLeaf(leaves[i], Located(i & (RingSize - 1)), locatedCounts[i & (RingSize - 1)]);
                if (_context.Floor != floor)
                {
                    floor = _context.Floor;
                    cut = Cut(floor, _unitsPerScore);
                }
            }

            _context.ScoredLeafCount = scored;
        }

        private static uint FirstId(uint leaf) => (leaf << SegmentFormat.LeafShift) & (SegmentFormat.WindowSize - 1);

        private LeafPart* Waiting(int slot) => _waiting + (slot * _termCount);

        private LeafPart* Located(int slot) => _located + (2 * slot * _termCount);

        private int FindParts(uint leaf, LeafPart* parts)
        {
            uint window = leaf >> SegmentFormat.LeafOfWindowShift;
            uint wordOffset = (FirstId(leaf) >> 6) * sizeof(ulong);
            ref LongTerm terms = ref MemoryMarshal.GetReference(_context.LongTerms);
            int found = 0;
            for (int i = 0; i < _termCount; i++)
            {
                parts[found].Count = i;
                found += (int)_maxima[i].Has(leaf);
            }

            for (int i = 0; i < found; i++)
            {
                ref readonly LongTerm term = ref Unsafe.Add(ref terms, parts[i].Count);
                uint* offsets = term.WindowOffsets + window;
                byte* start = term.List + offsets[0];
                parts[i].Ids = start;
                parts[i].Impacts = term.List + offsets[1];
                parts[i].Weight = term.Weight;
                Prefetch(start);
                // Where a list is dense enough to have bitmaps, the leaf's word; else the rest of the skips.
                Prefetch(start + (term.MayHaveBitmaps ? wordOffset : 64));
            }

            return found;
        }

        private void ScoreLeaf(uint leaf, LeafPart* parts, int count)
        {
            _context.Kernels.AddLeaf(parts, count, _postings.Layout, FirstId(leaf), _buffers);
            uint* sums = _buffers.LeafSums;
            for (uint next = _buffers.Heads.Pointer[leaf]; next != 0; next = _buffers.ShortNext.Pointer[next - 1])
            {
                sums[_buffers.ShortIds.Pointer[next - 1] & (SegmentFormat.LeafSize - 1)] += _buffers.ShortProducts.Pointer[next - 1];
            }

            uint bits = _context.Kernels.LeafAtLeast(_context.Floor, _buffers);
            if (bits != 0)
            {
                for (; bits != 0; bits &= bits - 1)
                {
                    uint at = (uint)BitOperations.TrailingZeroCount(bits);
                    _context.Offer((leaf << SegmentFormat.LeafShift) + at, sums[at]);
                }

                _context.Tighten();
            }

            new Span<uint>(sums, SegmentFormat.LeafSize).Clear();
        }

        private static void Prefetch(LeafPart* parts, int count)
        {
            for (int i = 0; i < count; i++)
            {
                Prefetch(parts[i].Ids);
                Prefetch(parts[i].Impacts);
            }
        }

        private static void Prefetch(void* address)
        {
            if (Sse.IsSupported)
            {
                Sse.Prefetch0(address);
            }
        }
    }
}
