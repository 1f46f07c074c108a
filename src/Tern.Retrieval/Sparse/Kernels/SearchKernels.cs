using System.Numerics;
using System.Runtime.CompilerServices;
using Tern.Compute;

namespace Tern.Retrieval.Kernels;

/// <summary>
/// The loops of search over one kind of lanes; a virtual call for a window or a list, none inside. Best first in
/// <see cref="All"/>; tests and benches enumerate them.
/// </summary>
internal abstract unsafe class SearchKernels
{
    private protected SearchKernels(string name, bool isSupported, int vectorByteCount)
    {
        Name = name;
        IsSupported = isSupported;
        VectorByteCount = vectorByteCount;
    }

    public static IReadOnlyList<SearchKernels> All { get; } =
        [new SearchKernels<Vbmi2Lanes>(), new SearchKernels<Avx512Lanes>(), new SearchKernels<Avx2Lanes>(), new SearchKernels<PortableLanes>()];

    /// <summary>Those that run on this machine; the last always does.</summary>
    public static IReadOnlyList<SearchKernels> Available { get; } = [.. All.Where(kernels => kernels.IsSupported)];

    private static readonly Lazy<SearchKernels> Chosen = new(() => Available.First(kernels => kernels.VectorByteCount <= SimdPaths.Current.VectorByteCount));

    /// <summary>The best that are no wider than the path of <see cref="SimdPaths.Current"/>, so that TERN_SIMD holds here too.</summary>
    public static SearchKernels Current => Chosen.Value;

    public string Name { get; }

    public bool IsSupported { get; }

    public int VectorByteCount { get; }

    public static SearchKernels ByName(string name) => Available.FirstOrDefault(kernels => kernels.Name == name)
        ?? throw new ArgumentException($"this machine has no search kernels '{name}'; it has {string.Join(", ", Available)}", nameof(name));

    public override string ToString() => Name;

    public abstract void DecodeGaps(byte* widths, byte* payload, int count, uint before, uint* ids);

    public abstract void Multiply(byte* impacts, int count, uint weight, uint* products);

    /// <summary>Adds a window of a long list to the sums of its documents.</summary>
    public abstract void Accumulate(in WindowReader window, PostingLayout layout, uint weight, SearchBuffers buffers);

    /// <summary>Lists the sums that are at least the floor with their places, and zeroes all in the same sweep.</summary>
    public abstract int Collect(uint* sums, int count, uint floor, uint* ids, uint* values);

    /// <summary>
    /// Adds the maxima of all lists to the bounds of the leaves in so many words of 32 spans; notes for each span and each list
    /// that has postings there the present leaves and the number of maxima before them: [spans, lists].
    /// </summary>
    public abstract void AddBounds(BoundedList* lists, int listCount, int wordCount, byte* bounds, ulong* spanLeaves, uint* spanMaxima);

    /// <summary>How many leaves have a bound of at least the floor.</summary>
    public abstract int CountAtLeast(byte* bounds, int spanCount, byte floor);

    /// <summary>Lists the leaves whose bound is at least the floor.</summary>
    public abstract int Candidates(byte* bounds, int spanCount, byte floor, uint* leaves);

    /// <summary>
    /// Finds the leaf that begins with a window's document <paramref name="firstId"/> in waiting parts and writes what is to
    /// be added, at most two parts for each; returns how many.
    /// </summary>
    public abstract int Locate(LeafPart* waiting, int count, uint firstId, LeafPart* located);

    /// <summary>
    /// Adds located parts to the 16 sums of the leaf that begins with a window's document <paramref name="firstId"/>; 48 zeros
    /// follow the sums. Returns which sums are at least the floor, as bits; if none is, the sums may be left as they were.
    /// </summary>
    public abstract uint ScoreLeaf(LeafPart* parts, int count, PostingLayout layout, uint firstId, uint floor, uint* sums);
}

/// <inheritdoc/>
internal sealed unsafe class SearchKernels<TLanes> : SearchKernels
    where TLanes : struct, ISearchLanes
{
    public SearchKernels()
        : base(TLanes.Name, TLanes.IsSupported, TLanes.VectorByteCount)
    {
    }

    public override void DecodeGaps(byte* widths, byte* payload, int count, uint before, uint* ids) => TLanes.DecodeGaps(widths, payload, count, before, ids);

    public override void Multiply(byte* impacts, int count, uint weight, uint* products) => TLanes.Multiply(impacts, count, weight, products);

    public override void Accumulate(in WindowReader window, PostingLayout layout, uint weight, SearchBuffers buffers)
    {
        uint* sums = buffers.Sums;
        if (window.IsBitmap)
        {
            ulong* words = window.Words;
            byte* impacts = window.Impacts;
            for (int i = 0; i < SegmentFormat.WindowWordCount; i++)
            {
                ulong word = words[i];
                TLanes.AddWord(word, impacts, weight, sums + (64 * i));
                impacts += BitOperations.PopCount(word);
            }

            return;
        }

        uint* products = buffers.Products;
        TLanes.Multiply(window.Impacts, window.Count, weight, products);
        if (layout == PostingLayout.Raw)
        {
            Scatter((ushort*)window.Block(0), products, window.Count, sums);
            return;
        }

        uint* ids = buffers.Ids;
        int blockCount = window.BlockCount;
        for (int block = 0; block < blockCount; block++)
        {
            int count = window.BlockLength(block);
            byte* widths = window.Block(block);
            TLanes.DecodeGaps(widths, widths + GapCodec.GroupCount(count), count, window.Before(block), ids + (block * SegmentFormat.BlockSize));
        }

        Scatter(buffers.Ids, products, window.Count, sums);
    }

    public override int Collect(uint* sums, int count, uint floor, uint* ids, uint* values)
    {
        int found = 0;
        for (int i = 0; i < count; i += 64)
        {
            for (ulong bits = TLanes.AtLeast(sums + i, floor); bits != 0; bits &= bits - 1)
            {
                uint at = (uint)(i + BitOperations.TrailingZeroCount(bits));
                ids[found] = at;
                values[found++] = sums[at];
            }

            TLanes.Clear(sums + i);
        }

        return found;
    }

    public override void AddBounds(BoundedList* lists, int listCount, int wordCount, byte* bounds, ulong* spanLeaves, uint* spanMaxima)
    {
        // Word by word, so that bounds and notes of 32 spans stay in the first cache while all lists add to them.
        for (int word = 0; word < wordCount; word++)
        {
            for (int list = 0; list < listCount; list++)
            {
                BlockMaxima maxima = lists[list].Maxima;
                BoundMap map = lists[list].Map;
                MaximaWord* at = maxima.Words + word;
                uint presence = at->Presence;
                uint before = at->MaximaBefore;
                ulong* leaves = maxima.Leaves + at->SpansBefore;
                byte* values = maxima.Maxima + before;
                if (word + 1 < wordCount)
                {
                    maxima.PrefetchWord(word + 1);
                }

                for (; presence != 0; presence &= presence - 1)
                {
                    ulong present = *leaves++;
                    long span = (32L * word) + BitOperations.TrailingZeroCount(presence);
                    long note = (span * listCount) + list;
                    spanLeaves[note] = present;
                    spanMaxima[note] = (uint)(values - maxima.Maxima);
                    TLanes.AddBounds(present, values, map, bounds + (64 * span));
                    values += BitOperations.PopCount(present);
                }
            }
        }
    }

    public override int CountAtLeast(byte* bounds, int spanCount, byte floor)
    {
        int count = 0;
        for (int span = 0; span < spanCount; span++)
        {
            count += BitOperations.PopCount(TLanes.AtLeast(bounds + (64L * span), floor));
        }

        return count;
    }

    public override int Candidates(byte* bounds, int spanCount, byte floor, uint* leaves)
    {
        int found = 0;
        for (int span = 0; span < spanCount; span++)
        {
            for (ulong bits = TLanes.AtLeast(bounds + (64L * span), floor); bits != 0; bits &= bits - 1)
            {
                leaves[found++] = (uint)((64 * span) + BitOperations.TrailingZeroCount(bits));
            }
        }

        return found;
    }

    public override int Locate(LeafPart* waiting, int count, uint firstId, LeafPart* located)
    {
        int found = 0;
        for (int i = 0; i < count; i++)
        {
            var window = new WindowReader(waiting[i].Ids, waiting[i].Impacts);
            uint weight = waiting[i].Weight;
            if (window.IsBitmap)
            {
                located[found++] = LeafPart.OfBitmap(window, firstId, weight);
                continue;
            }

            // The last ids of all blocks but the last ascend: the first block whose last id is not below the leaf.
            int blockCount = window.BlockCount;
            int block = TLanes.CountBelow(window.Skips, blockCount - 1, firstId);
            located[found++] = LeafPart.OfBlock(window, block, weight);
            if (block + 1 < blockCount && window.Before(block + 1) < firstId + SegmentFormat.LeafSize - 1)
            {
                located[found++] = LeafPart.OfBlock(window, block + 1, weight);
            }
        }

        return found;
    }

    public override uint ScoreLeaf(LeafPart* parts, int count, PostingLayout layout, uint firstId, uint floor, uint* sums) => TLanes.ScoreLeaf(parts, count, layout, firstId, floor, sums);

    private static void Scatter(uint* ids, uint* products, int count, uint* sums)
    {
        int i = 0;
        for (; i <= count - 4; i += 4)
        {
            sums[ids[i]] += products[i];
            sums[ids[i + 1]] += products[i + 1];
            sums[ids[i + 2]] += products[i + 2];
            sums[ids[i + 3]] += products[i + 3];
        }

        for (; i < count; i++)
        {
            sums[ids[i]] += products[i];
        }
    }

    private static void Scatter(ushort* ids, uint* products, int count, uint* sums)
    {
        int i = 0;
        for (; i <= count - 4; i += 4)
        {
            ulong four = Unsafe.ReadUnaligned<ulong>(ids + i);
            sums[(ushort)four] += products[i];
            sums[(ushort)(four >> 16)] += products[i + 1];
            sums[(ushort)(four >> 32)] += products[i + 2];
            sums[four >> 48] += products[i + 3];
        }

        for (; i < count; i++)
        {
            sums[ids[i]] += products[i];
        }
    }
}
