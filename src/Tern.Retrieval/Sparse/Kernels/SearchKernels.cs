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

    /// <summary>Adds a list's maxima to the bounds of all leaves; with <paramref name="spansOfWord"/> below 32 only to the first of every 32 spans.</summary>
    public abstract void AddBounds(in BlockMaxima maxima, in BoundMap map, int spansOfWord, byte* bounds);

    /// <summary>Lists the leaves whose bound is at least the floor.</summary>
    public abstract int Candidates(byte* bounds, int spanCount, byte floor, uint* leaves);

    /// <summary>Adds a long list's postings of one leaf, starting in the given block, to its 16 sums.</summary>
    public abstract void AddLeaf(in WindowReader window, PostingLayout layout, int block, uint firstId, uint weight, SearchBuffers buffers);
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
                impacts += System.Numerics.BitOperations.PopCount(word);
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

        for (int block = 0; block < window.BlockCount; block++)
        {
            int count = window.BlockLength(block);
            byte* widths = window.Block(block);
            TLanes.DecodeGaps(widths, widths + GapCodec.GroupCount(count), count, window.Before(block), buffers.Ids + (block * SegmentFormat.BlockSize));
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
                uint at = (uint)(i + System.Numerics.BitOperations.TrailingZeroCount(bits));
                ids[found] = at;
                values[found++] = sums[at];
            }

            TLanes.Clear(sums + i);
        }

        return found;
    }

    public override void AddBounds(in BlockMaxima maxima, in BoundMap map, int spansOfWord, byte* bounds)
    {
        BoundMap local = map;
        for (int word = 0; word < maxima.WordCount; word++)
        {
            uint presence = maxima.Words[word].Presence;
            ulong* leaves = maxima.Leaves + maxima.Words[word].SpansBefore;
            byte* values = maxima.Maxima + maxima.Words[word].MaximaBefore;
            byte* at = bounds + (32L * 64 * word);
            if (spansOfWord < 32)
            {
                presence &= (1u << spansOfWord) - 1;
            }

            for (; presence != 0; presence &= presence - 1)
            {
                ulong present = *leaves++;
                TLanes.AddBounds(present, values, local, at + (64 * System.Numerics.BitOperations.TrailingZeroCount(presence)));
                values += System.Numerics.BitOperations.PopCount(present);
            }
        }
    }

    public override int Candidates(byte* bounds, int spanCount, byte floor, uint* leaves)
    {
        int found = 0;
        for (int span = 0; span < spanCount; span++)
        {
            for (ulong bits = TLanes.AtLeast(bounds + (64L * span), floor); bits != 0; bits &= bits - 1)
            {
                leaves[found++] = (uint)((64 * span) + System.Numerics.BitOperations.TrailingZeroCount(bits));
            }
        }

        return found;
    }

    public override void AddLeaf(in WindowReader window, PostingLayout layout, int block, uint firstId, uint weight, SearchBuffers buffers)
    {
        uint* sums = buffers.LeafSums;
        if (window.IsBitmap)
        {
            uint word = firstId >> 6;
            uint spanWord = word & ~15u;
            byte* impacts = window.Impacts + window.Ranks[firstId >> SegmentFormat.SpanShift];
            for (uint i = spanWord; i < word; i++)
            {
                impacts += System.Numerics.BitOperations.PopCount(window.Words[i]);
            }

            ulong bits = window.Words[word];
            int shift = (int)(firstId & 63);
            impacts += System.Numerics.BitOperations.PopCount(bits & ((1UL << shift) - 1));
            TLanes.AddLeaf((uint)(bits >> shift) & 0xFFFF, impacts, weight, sums);
            return;
        }

        // A leaf's postings may go on in the next block.
        for (uint last = firstId + SegmentFormat.LeafSize - 1; block < window.BlockCount; block++)
        {
            int count = window.BlockLength(block);
            byte* impacts = window.Impacts + (block * SegmentFormat.BlockSize);
            if (layout == PostingLayout.Raw)
            {
                AddRawLeaf((ushort*)window.Block(block), impacts, count, firstId, weight, sums);
            }
            else
            {
                byte* widths = window.Block(block);
                TLanes.DecodeGaps(widths, widths + GapCodec.GroupCount(count), count, window.Before(block), buffers.Ids);
                AddPackedLeaf(buffers.Ids, impacts, count, firstId, weight, sums);
            }

            if (block + 1 < window.BlockCount && window.Before(block + 1) >= last)
            {
                return;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddPackedLeaf(uint* ids, byte* impacts, int count, uint firstId, uint weight, uint* sums)
    {
        for (int i = 0; i < count; i += 16)
        {
            uint bits = TLanes.InLeaf(ids + i, firstId);
            if (count - i < 16)
            {
                bits &= (1u << (count - i)) - 1;
            }

            for (; bits != 0; bits &= bits - 1)
            {
                int at = i + System.Numerics.BitOperations.TrailingZeroCount(bits);
                sums[ids[at] - firstId] += impacts[at] * weight;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddRawLeaf(ushort* ids, byte* impacts, int count, uint firstId, uint weight, uint* sums)
    {
        for (int i = 0; i < count; i += 32)
        {
            uint bits = TLanes.InLeaf(ids + i, firstId);
            if (count - i < 32)
            {
                bits &= (1u << (count - i)) - 1;
            }

            for (; bits != 0; bits &= bits - 1)
            {
                int at = i + System.Numerics.BitOperations.TrailingZeroCount(bits);
                sums[ids[at] - firstId] += impacts[at] * weight;
            }
        }
    }

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
