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

    /// <summary>Adds a list's maxima to the bounds of all leaves, or of those in a <see cref="SpanSample"/>.</summary>
    public abstract void AddBounds(in BlockMaxima maxima, in BoundMap map, bool isSample, byte* bounds);

    /// <summary>Lists the leaves whose bound is at least the floor.</summary>
    public abstract int Candidates(byte* bounds, int spanCount, byte floor, uint* leaves);

    /// <summary>Adds located parts to the 16 sums of the leaf that begins with a window's document <paramref name="firstId"/>.</summary>
    public abstract void AddLeaf(LeafPart* parts, int count, PostingLayout layout, uint firstId, SearchBuffers buffers);

    /// <summary>Which of a leaf's 16 sums are at least the floor, as bits.</summary>
    public abstract uint LeafAtLeast(uint floor, SearchBuffers buffers);
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

    public override void AddBounds(in BlockMaxima maxima, in BoundMap map, bool isSample, byte* bounds)
    {
        BoundMap local = map;
        for (int word = 0; word < maxima.WordCount; word += isSample ? SpanSample.WordStride : 1)
        {
            uint presence = maxima.Words[word].Presence;
            ulong* leaves = maxima.Leaves + maxima.Words[word].SpansBefore;
            byte* values = maxima.Maxima + maxima.Words[word].MaximaBefore;
            byte* at = bounds + (32L * 64 * word);
            if (isSample)
            {
                presence &= (1u << SpanSample.SpansOfWord) - 1;
            }

            for (; presence != 0; presence &= presence - 1)
            {
                ulong present = *leaves++;
                TLanes.AddBounds(present, values, local, at + (64 * BitOperations.TrailingZeroCount(presence)));
                values += BitOperations.PopCount(present);
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
                leaves[found++] = (uint)((64 * span) + BitOperations.TrailingZeroCount(bits));
            }
        }

        return found;
    }

    public override void AddLeaf(LeafPart* parts, int count, PostingLayout layout, uint firstId, SearchBuffers buffers)
    {
        uint* sums = buffers.LeafSums;
        uint* ids = buffers.Ids;
        for (int i = 0; i < count; i++)
        {
            ref readonly LeafPart part = ref parts[i];
            byte* impacts = part.Impacts;
            uint weight = part.Weight;
            if (part.Ids == null)
            {
                TLanes.AddLeaf(part.Before, impacts, weight, sums);
            }
            else if (layout == PostingLayout.Raw)
            {
                ushort* rawIds = (ushort*)part.Ids;
                for (uint bits = TLanes.InLeaf(rawIds, firstId) & Below(part.Count); bits != 0; bits &= bits - 1)
                {
                    int at = BitOperations.TrailingZeroCount(bits);
                    sums[rawIds[at] - firstId] += impacts[at] * weight;
                }
            }
            else
            {
                TLanes.DecodeGaps(part.Ids, part.Ids + GapCodec.GroupCount(part.Count), part.Count, part.Before, ids);
                for (uint bits = (TLanes.InLeaf(ids, firstId) | (TLanes.InLeaf(ids + 16, firstId) << 16)) & Below(part.Count); bits != 0; bits &= bits - 1)
                {
                    int at = BitOperations.TrailingZeroCount(bits);
                    sums[ids[at] - firstId] += impacts[at] * weight;
                }
            }
        }
    }

    public override uint LeafAtLeast(uint floor, SearchBuffers buffers) => (uint)TLanes.AtLeast(buffers.LeafSums, floor);

    /// <summary>The lowest bits, 1 to 32 of them.</summary>
    private static uint Below(int count) => uint.MaxValue >> (SegmentFormat.BlockSize - count);

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
