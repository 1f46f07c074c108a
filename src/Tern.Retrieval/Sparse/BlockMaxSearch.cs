using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Tern.Retrieval.Kernels;

namespace Tern.Retrieval;

/// <summary>
/// Bounds every leaf of 16 documents by the sum of its terms' block maxima, in bytes relative to the floor, and scores
/// leaves by descending bound until a bound is below the floor. A leaf whose bound equals it may hold a tie, so it is
/// scored. Short lists have no maxima: their postings are added to the bounds themselves and chained by leaf.
/// </summary>
internal sealed unsafe class BlockMaxSearch : SearchAlgorithm
{
    // Bounds saturate at seven times the first floor (bench search, hard500k): higher leaves are scored first in any order.
    private const double SaturationFactor = 7;
    private const double LargestBound = 254;

    public BlockMaxSearch()
        : base("block-max")
    {
    }

    internal override void Search(Postings postings, SearchContext context)
    {
        SearchBuffers buffers = context.Buffers;
        long leafCount = 64L * postings.SpanCount;
        byte* bounds = buffers.Bounds.Ensure(leafCount);
        NativeMemory.Clear(bounds, (nuint)leafCount);
        double unitsPerScore = UnitsPerScore(postings, context);
        AddLongBounds(postings, context, unitsPerScore, 32, bounds);
        AddShortBounds(postings, context, unitsPerScore, bounds);
        int count = OrderCandidates(postings, context, unitsPerScore, leafCount);
        context.CandidateCount = count;
        new LeafScorer(postings, context, unitsPerScore).Score(buffers.OrderedCandidates.Pointer, count, bounds);
        ClearHeads(context);
    }

    /// <summary>What one unit of a sum is in a bound.</summary>
    internal static double UnitsPerScore(Postings postings, SearchContext context)
    {
        double most = 0;
        foreach (ref readonly LongTerm term in context.LongTerms)
        {
            most += (double)term.Weight * postings.Entry(term.Row)->LargestImpact;
        }

        foreach (ref readonly ShortTerm term in context.ShortTerms)
        {
            // A leaf's postings of a short list are summed, not maximised.
            TermEntry* entry = postings.Entry(term.Row);
            most += (double)term.Weight * entry->LargestImpact * Math.Min(SegmentFormat.LeafSize, entry->DocumentFrequency);
        }

        return LargestBound / (context.Floor > 1 ? Math.Min(most, SaturationFactor * context.Floor) : most);
    }

    /// <summary>Adds the maxima of all long lists; of the first spans of every 32 only, if fewer are asked for.</summary>
    internal static void AddLongBounds(Postings postings, SearchContext context, double unitsPerScore, int spansOfWord, byte* bounds)
    {
        byte* table = context.Buffers.BoundTable.Ensure(BoundMap.TableSize);
        foreach (ref readonly LongTerm term in context.LongTerms)
        {
            context.Kernels.AddBounds(postings.Maxima(term.Row), BoundMap.For(term.Weight, unitsPerScore, table), spansOfWord, bounds);
        }
    }

    /// <summary>The least bound of a leaf that can hold a sum of at least the floor.</summary>
    internal static byte Cut(uint floor, double unitsPerScore) => (byte)Math.Clamp(Math.Ceiling((floor * unitsPerScore) - 1e-6), 1, 255);

    private static void AddShortBounds(Postings postings, SearchContext context, double unitsPerScore, byte* bounds)
    {
        SearchBuffers buffers = context.Buffers;
        uint* heads = buffers.Heads.Ensure(64L * postings.SpanCount);
        uint* next = buffers.ShortNext.Ensure(context.ShortPostingCount);
        uint* ids = buffers.ShortIds.Pointer;
        uint* products = buffers.ShortProducts.Pointer;
        // A fixed-point factor, rounded up: bounds may be too high, never too low.
        ulong factor = (ulong)Math.Ceiling(unitsPerScore * (1 << 24));
        int count = context.ShortPostingCount;
        for (int i = 0; i < count; i++)
        {
            uint leaf = ids[i] >> SegmentFormat.LeafShift;
            ulong bound = bounds[leaf] + (((products[i] * factor) + (1 << 24) - 1) >> 24);
            bounds[leaf] = (byte)Math.Min(255, bound);
            next[i] = heads[leaf];
            heads[leaf] = (uint)i + 1;
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
    private static int OrderCandidates(Postings postings, SearchContext context, double unitsPerScore, long leafCount)
    {
        SearchBuffers buffers = context.Buffers;
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

    /// <summary>One long list that has postings in a leaf: its window and, once found, the block.</summary>
    private struct Part
    {
        public byte* Start;
        public byte* End;
        public uint Weight;
        public int Block;
    }

    /// <summary>Scores leaves one after the other, asking for the memory of the next ones ahead.</summary>
    private readonly ref struct LeafScorer
    {
        // Leaves between being looked up, located and scored: memory arrives meanwhile. A power of two.
        private const int RingSize = 8;
        private const int Ahead = 4;
        private const int Closer = 2;

        private readonly SearchContext _context;
        private readonly SearchBuffers _buffers;
        private readonly Postings _postings;
        private readonly double _unitsPerScore;
        private readonly Part* _parts;
        private readonly BlockMaxima* _maxima;
        private readonly int _termCount;

        public LeafScorer(Postings postings, SearchContext context, double unitsPerScore)
        {
            _context = context;
            _buffers = context.Buffers;
            _postings = postings;
            _unitsPerScore = unitsPerScore;
            _termCount = context.LongTerms.Length;
            long partBytes = (long)RingSize * _termCount * sizeof(Part);
            _parts = (Part*)_buffers.Parts.Ensure(partBytes + ((long)_termCount * sizeof(BlockMaxima)));
            _maxima = (BlockMaxima*)((byte*)_parts + partBytes);
            for (int i = 0; i < _termCount; i++)
            {
                _maxima[i] = postings.Maxima(context.LongTerms[i].Row);
            }
        }

        public void Score(uint* leaves, int count, byte* bounds)
        {
            int* partCounts = stackalloc int[RingSize];
            uint floor = _context.Floor;
            byte cut = Cut(floor, _unitsPerScore);
            int scored = 0;
            for (int i = -Ahead; i < count; i++)
            {
                if (i + Ahead < count)
                {
                    int slot = (i + Ahead) & (RingSize - 1);
                    partCounts[slot] = FindParts(leaves[i + Ahead], _parts + (slot * _termCount));
                }

                if (i + Closer >= 0 && i + Closer < count)
                {
                    int slot = (i + Closer) & (RingSize - 1);
                    Locate(leaves[i + Closer], _parts + (slot * _termCount), partCounts[slot]);
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
                ScoreLeaf(leaves[i], _parts + ((i & (RingSize - 1)) * _termCount), partCounts[i & (RingSize - 1)]);
                _context.Tighten();
                if (_context.Floor != floor)
                {
                    floor = _context.Floor;
                    cut = Cut(floor, _unitsPerScore);
                }
            }

            _context.ScoredLeafCount = scored;
        }

        private int FindParts(uint leaf, Part* parts)
        {
            uint span = leaf >> 6;
            int bit = (int)(leaf & 63);
            uint window = leaf >> SegmentFormat.LeafOfWindowShift;
            Span<LongTerm> terms = _context.LongTerms;
            int found = 0;
            for (int i = 0; i < _termCount; i++)
            {
                if (((_maxima[i].LeavesOf(span) >> bit) & 1) != 0)
                {
                    ref readonly LongTerm term = ref terms[i];
                    uint* offsets = term.WindowOffsets + window;
                    parts[found++] = new Part { Start = term.List + offsets[0], End = term.List + offsets[1], Weight = term.Weight };
                    Prefetch(term.List + offsets[0]);
                }
            }

            return found;
        }

        private static void Locate(uint leaf, Part* parts, int count)
        {
            uint firstId = (leaf << SegmentFormat.LeafShift) & (SegmentFormat.WindowSize - 1);
            for (int i = 0; i < count; i++)
            {
                var window = new WindowReader(parts[i].Start, parts[i].End);
                if (window.IsBitmap)
                {
                    Prefetch(window.Words + (firstId >> 6));
                    Prefetch(window.Impacts + window.Ranks[firstId >> SegmentFormat.SpanShift]);
                }
                else
                {
                    int block = parts[i].Block = window.FindBlock(firstId);
                    byte* ids = window.Block(block);
                    Prefetch(ids);
                    Prefetch(ids + 64);
                    Prefetch(window.Impacts + (block * SegmentFormat.BlockSize));
                    Prefetch(window.Impacts + (block * SegmentFormat.BlockSize) + 64);
                }
            }
        }

        private void ScoreLeaf(uint leaf, Part* parts, int count)
        {
            uint firstId = (leaf << SegmentFormat.LeafShift) & (SegmentFormat.WindowSize - 1);
            SearchKernels kernels = _context.Kernels;
            for (int i = 0; i < count; i++)
            {
                kernels.AddLeaf(new WindowReader(parts[i].Start, parts[i].End), _postings.Layout, parts[i].Block, firstId, parts[i].Weight, _buffers);
            }

            uint* sums = _buffers.LeafSums;
            for (uint next = _buffers.Heads.Pointer[leaf]; next != 0; next = _buffers.ShortNext.Pointer[next - 1])
            {
                sums[_buffers.ShortIds.Pointer[next - 1] & (SegmentFormat.LeafSize - 1)] += _buffers.ShortProducts.Pointer[next - 1];
            }

            uint first = leaf << SegmentFormat.LeafShift;
            for (uint i = 0; i < SegmentFormat.LeafSize; i++)
            {
                if (sums[i] >= _context.Floor)
                {
                    _context.Offer(first + i, sums[i]);
                }

                sums[i] = 0;
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
