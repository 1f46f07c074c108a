using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tern.Retrieval.Kernels;

namespace Tern.Retrieval;

/// <summary>
/// Scores leaves in the order of their bounds. A leaf whose turn comes is bounded again, without the rounding of bytes, and only
/// those that still reach the floor are located and scored; each step asks for the memory of the next one.
/// </summary>
internal readonly unsafe ref struct LeafScorer
{
    /// <summary>Leaves that are found and not yet scored, while their memory arrives. A power of two.</summary>
    public const int RingSize = 8;

    // How many leaves are found, and how many of them located, before one is scored.
    private const int Ahead = 6;
    private const int Closer = 3;

    private readonly SearchContext _context;
    private readonly SearchBuffers _buffers;
    private readonly Postings _postings;
    private readonly double _unitsPerScore;
    private readonly LeafPart* _waiting; // [RingSize, terms]
    private readonly LeafPart* _located; // [RingSize, 2 · terms]
    private readonly int* _present; // [terms + 1]
    private readonly ulong* _spanLeaves; // [spans, bounded terms]
    private readonly uint* _spanMaxima; // [spans, bounded terms]
    private readonly int _termCount;
    private readonly int _boundedCount;

    public LeafScorer(Postings postings, SearchContext context, double unitsPerScore)
    {
        _context = context;
        _buffers = context.Buffers;
        _postings = postings;
        _unitsPerScore = unitsPerScore;
        _termCount = context.LongTerms.Length;
        _boundedCount = context.BoundedTermCount;
        _waiting = _buffers.Parts.Ensure(3L * RingSize * (_termCount + 1));
        _located = _waiting + (RingSize * (_termCount + 1));
        _present = _buffers.PresentTerms.Ensure(_termCount + 1);
        _spanLeaves = _buffers.SpanLeaves.Pointer;
        _spanMaxima = _buffers.SpanMaxima.Pointer;
    }

    /// <summary>
    /// Scores the first so many of the ordered candidates, as far as their bounds reach the floor; false if it gave up because
    /// those that still do would cost more than <paramref name="affordable"/>.
    /// </summary>
    public bool TryScore(int count, double affordable)
    {
        Leaf* ring = stackalloc Leaf[RingSize];
        uint* leaves = _buffers.OrderedCandidates.Pointer;
        byte* bounds = _buffers.Bounds.Pointer;
        uint floor = _context.Floor;
        uint demanded = _context.Demanded(floor);
        byte cut = BlockMaxSearch.Cut(demanded, _unitsPerScore);
        int found = 0, located = 0, scored = 0, visited = 0;
        bool affords = true;
        for (; visited < count && bounds[leaves[visited]] >= cut; visited++)
        {
            if (!TryFind(leaves[visited], demanded, found & (RingSize - 1), ring + (found & (RingSize - 1))))
            {
                continue;
            }

            found++;
            if (found - located > Ahead - Closer)
            {
                Locate(ring + (located & (RingSize - 1)), located & (RingSize - 1));
                located++;
            }

            if (found - scored > Ahead)
            {
                Score(ring + (scored & (RingSize - 1)), scored & (RingSize - 1));
                scored++;
                if (_context.Floor != floor || scored % 256 == 0)
                {
                    floor = _context.Floor;
                    demanded = _context.Demanded(floor);
                    cut = BlockMaxSearch.Cut(demanded, _unitsPerScore);
                    affords = SearchCosts.Leaves(_context, 0, 1) * (count - visited) <= affordable
                        || SearchCosts.Remaining(_context, Reaching(leaves, bounds, cut, visited + 1, count)) <= affordable;
                    if (!affords)
                    {
                        break;
                    }
                }
            }
        }

        for (; scored < found; scored++)
        {
            for (; located < found; located++)
            {
                Locate(ring + (located & (RingSize - 1)), located & (RingSize - 1));
            }

            Score(ring + (scored & (RingSize - 1)), scored & (RingSize - 1));
        }

        _context.VisitedLeafCount = visited;
        _context.ScoredLeafCount = found;
        return affords;
    }

    /// <summary>How many of the ordered leaves from a place on have bounds of at least <paramref name="cut"/>.</summary>
    private static int Reaching(uint* leaves, byte* bounds, byte cut, int from, int count)
    {
        int low = from;
        for (int high = count; low < high;)
        {
            int middle = low + ((high - low) >> 1);
            (low, high) = bounds[leaves[middle]] >= cut ? (middle + 1, high) : (low, middle);
        }

        return Math.Max(0, low - from);
    }

    private static uint FirstId(uint leaf) => (leaf << SegmentFormat.LeafShift) & (SegmentFormat.WindowSize - 1);

    private LeafPart* Waiting(int slot) => _waiting + (slot * _termCount);

    private LeafPart* Located(int slot) => _located + (2 * slot * _termCount);

    private uint* Sums(int slot) => _buffers.LeafSums + (64 * slot);

    /// <summary>Looks which terms a leaf has; false, and nothing done, if they cannot reach what is demanded.</summary>
    private bool TryFind(uint leaf, uint demanded, int slot, Leaf* entry)
    {
        int* present = _present;
        uint span = leaf >> 6;
        int bit = (int)(leaf & 63);
        int termCount = _boundedCount;
        ulong* leavesOfSpan = _spanLeaves + ((long)span * termCount);
        uint* maximaOfSpan = _spanMaxima + ((long)span * termCount);
        int found = 0;
        for (int i = 0; i < termCount; i++)
        {
            // No branch, since no processor can guess it.
            present[found] = i;
            found += (int)(leavesOfSpan[i] >> bit) & 1;
        }

        ref LongTerm terms = ref MemoryMarshal.GetReference(_context.LongTerms);
        ulong below = (1UL << bit) - 1;
        uint bound = 0;
        for (int i = 0; i < found; i++)
        {
            int place = present[i];
            ref readonly LongTerm term = ref Unsafe.Add(ref terms, place);
            uint maximum = term.Maxima[maximaOfSpan[place] + (uint)BitOperations.PopCount(leavesOfSpan[place] & below)];
            // The largest impact that has this maximum, ⌊255 · maximum / 127⌋.
            bound += term.Weight * ((2 * maximum) + ((maximum + 1) >> 7));
        }

        uint* sums = Sums(slot);
        uint head = _buffers.Heads.Pointer[leaf];
        if (head != 0)
        {
            bound += AddShort(head, sums);
        }

        if (bound < demanded)
        {
            if (head != 0)
            {
                new Span<uint>(sums, SegmentFormat.LeafSize).Clear();
            }

            return false;
        }

        uint window = leaf >> SegmentFormat.LeafOfWindowShift;
        uint wordOffset = (FirstId(leaf) >> 6) * sizeof(ulong);
        LeafPart* parts = Waiting(slot);
        for (int i = 0; i < found; i++)
        {
            Await(Unsafe.Add(ref terms, present[i]), window, wordOffset, parts + i);
        }

        // Terms that count in no bound are looked for in every leaf.
        for (int i = termCount; i < _termCount; i++)
        {
            ref readonly LongTerm term = ref Unsafe.Add(ref terms, i);
            if (term.WindowOffsets[window + 1] > term.WindowOffsets[window])
            {
                Await(term, window, wordOffset, parts + found++);
            }
        }

        *entry = new Leaf { Number = leaf, Bound = bound, PartCount = found };
        return true;
    }

    /// <summary>Notes a term's window and asks for its beginning.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Await(in LongTerm term, uint window, uint wordOffset, LeafPart* part)
    {
        uint* offsets = term.WindowOffsets + window;
        byte* start = term.List + offsets[0];
        part->Ids = start;
        part->Impacts = term.List + offsets[1];
        part->Weight = term.Weight;
        Cache.Prefetch(start);
        // Where a list is dense enough to have bitmaps, the leaf's word; else the rest of the skips.
        Cache.Prefetch(start + (term.MayHaveBitmaps ? wordOffset : 64));
    }

    /// <summary>Adds a leaf's short postings to its sums and returns the largest sum.</summary>
    private uint AddShort(uint head, uint* sums)
    {
        ShortPosting* postings = _buffers.ShortPostings.Pointer;
        uint most = 0;
        do
        {
            ref readonly ShortPosting posting = ref postings[head - 1];
            uint sum = sums[posting.Document & (SegmentFormat.LeafSize - 1)] += posting.Product;
            most = Math.Max(most, sum);
            head = posting.Next;
        }
        while (head != 0);
        return most;
    }

    private void Locate(Leaf* leaf, int slot)
    {
        LeafPart* parts = Located(slot);
        int count = leaf->PartCount = _context.Kernels.Locate(Waiting(slot), leaf->PartCount, FirstId(leaf->Number), parts);
        for (int i = 0; i < count; i++)
        {
            Cache.Prefetch(parts[i].Ids);
            Cache.Prefetch(parts[i].Impacts);
        }
    }

    private void Score(Leaf* leaf, int slot)
    {
        uint* sums = Sums(slot);
        uint floor = _context.Floor;
        if (leaf->Bound >= _context.Demanded(floor))
        {
            uint bits = _context.Kernels.ScoreLeaf(Located(slot), leaf->PartCount, _postings.Layout, FirstId(leaf->Number), floor, sums);
            if (bits != 0)
            {
                for (; bits != 0; bits &= bits - 1)
                {
                    uint at = (uint)BitOperations.TrailingZeroCount(bits);
                    _context.Offer((leaf->Number << SegmentFormat.LeafShift) + at, sums[at]);
                }

                _context.Tighten();
            }
        }

        new Span<uint>(sums, SegmentFormat.LeafSize).Clear();
    }

    private struct Leaf
    {
        public uint Number;
        public uint Bound;
        public int PartCount;
    }
}
