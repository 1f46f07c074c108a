using System.Runtime.Intrinsics;

namespace Tern.Retrieval;

/// <summary>A posting of a short list in a leaf that may be scored.</summary>
internal struct ShortPosting
{
    /// <summary>The next posting of the same leaf, plus one; 0 for none.</summary>
    public uint Next;

    public uint Document;

    public uint Product;
}

/// <summary>The part of short lists in block-max search: they have no maxima, so each posting is visited.</summary>
internal static unsafe class ShortBounds
{
    /// <summary>Adds to the leaves' bounds, for each list, the largest of its postings there.</summary>
    public static void Add(SearchContext context, double unitsPerScore, byte* bounds)
    {
        uint* ids = context.Buffers.ShortIds.Pointer;
        byte* boundOfImpact = stackalloc byte[ImpactQuantizer.Largest + 1];
        foreach (ref readonly ShortTerm term in context.ShortTerms)
        {
            FillTable(term.Weight, unitsPerScore, boundOfImpact);
            byte* impacts = term.Impacts;
            uint last = uint.MaxValue;
            int most = 0;
            // No branch: which postings share a leaf, and which is larger, no processor can guess.
            for (int i = term.First; i < term.End; i++)
            {
                uint leaf = ids[i] >> SegmentFormat.LeafShift;
                int before = most & -(leaf == last ? 1 : 0);
                int more = boundOfImpact[*impacts++] - before;
                more &= ~(more >> 31);
                most = before + more;
                last = leaf;
                int bound = bounds[leaf] + more;
                bounds[leaf] = (byte)(bound | ((255 - bound) >> 31));
            }
        }
    }

    /// <summary>Chains the postings of leaves whose bounds are at least <paramref name="cut"/>; returns how many there are.</summary>
    public static int Chain(SearchContext context, byte cut, byte* bounds)
    {
        SearchBuffers buffers = context.Buffers;
        uint* ids = buffers.ShortIds.Pointer;
        uint* heads = buffers.Heads.Pointer;
        uint* places = buffers.ShortPlaces.Ensure(context.ShortPostingCount + 1);
        ShortPosting* chained = buffers.ShortPostings.Ensure(context.ShortPostingCount);
        uint count = 0;
        foreach (ref readonly ShortTerm term in context.ShortTerms)
        {
            int found = 0;
            for (int i = term.First; i < term.End; i++)
            {
                places[found] = (uint)i;
                found += bounds[ids[i] >> SegmentFormat.LeafShift] >= cut ? 1 : 0;
            }

            byte* impacts = term.Impacts - term.First;
            for (int i = 0; i < found; i++)
            {
                uint document = ids[places[i]];
                ref uint head = ref heads[document >> SegmentFormat.LeafShift];
                chained[count] = new ShortPosting { Next = head, Document = document, Product = impacts[places[i]] * term.Weight };
                head = ++count;
            }
        }

        return (int)count;
    }

    /// <summary>Makes the heads zero again.</summary>
    public static void Unchain(SearchContext context, int count)
    {
        uint* heads = context.Buffers.Heads.Pointer;
        ShortPosting* chained = context.Buffers.ShortPostings.Pointer;
        for (int i = 0; i < count; i++)
        {
            heads[chained[i].Document >> SegmentFormat.LeafShift] = 0;
        }
    }

    /// <summary>What a posting of each impact adds to a bound, rounded up: bounds may be too high, never too low.</summary>
    private static void FillTable(uint weight, double unitsPerScore, byte* boundOfImpact)
    {
        const int Shift = 16;
        Vector256<uint> factor = Vector256.Create((uint)Math.Min(255u << Shift, Math.Ceiling(weight * unitsPerScore * (1 << Shift))));
        Vector256<uint> round = Vector256.Create((1u << Shift) - 1);
        Vector256<uint> most = Vector256.Create(255u);
        Vector256<uint> impacts = Vector256<uint>.Indices;
        Vector256<uint> eight = Vector256.Create(8u);
        for (int i = 0; i <= ImpactQuantizer.Largest; i += 32)
        {
            Vector256<uint> a = Vector256.Min(((impacts * factor) + round) >> Shift, most);
            impacts += eight;
            Vector256<uint> b = Vector256.Min(((impacts * factor) + round) >> Shift, most);
            impacts += eight;
            Vector256<uint> c = Vector256.Min(((impacts * factor) + round) >> Shift, most);
            impacts += eight;
            Vector256<uint> d = Vector256.Min(((impacts * factor) + round) >> Shift, most);
            impacts += eight;
            Vector256.Narrow(Vector256.Narrow(a, b), Vector256.Narrow(c, d)).Store(boundOfImpact + i);
        }
    }
}
