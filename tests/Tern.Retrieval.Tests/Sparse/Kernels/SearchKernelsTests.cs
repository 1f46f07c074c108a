using System.Numerics;
using Tern.Retrieval.Kernels;
using Xunit;

namespace Tern.Retrieval.Tests.Sparse.Kernels;

/// <summary>Every kind of lanes that this machine has, against plain code on random input: the same integers.</summary>
public unsafe class SearchKernelsTests
{
    public static TheoryData<string> Names() => [.. SearchKernels.Available.Select(kernels => kernels.Name)];

    [Fact]
    public void ThePortableOnesAreAlwaysThereAndAnUnknownNameIsAnError()
    {
        Assert.Equal("vector128", SearchKernels.Available[^1].Name);
        Assert.Contains("vector128", Assert.Throws<ArgumentException>(() => SearchKernels.ByName("vector1024")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void DecodesGapsOfEveryWidth(string name)
    {
        SearchKernels kernels = SearchKernels.ByName(name);
        var random = new Random(1);
        for (int width = 0; width <= 31; width++)
        {
            foreach (int count in (int[])[1, 15, 16, 17, 128, 500])
            {
                // The sums of gaps of 25 bits and more pass 2³²: only the last groups are that wide.
                uint before = width % 2 == 0 ? uint.MaxValue : 41;
                var ids = new uint[count];
                uint id = before;
                for (int i = 0; i < count; i++)
                {
                    uint gap = i < count - 2 && width > 20 ? 3u : width == 0 ? 0u : (uint)random.NextInt64(1L << width) >> (width > 29 ? 2 : 0);
                    ids[i] = id = unchecked(id + gap + 1);
                }

                var buffer = new ByteBuffer();
                GapCodec.Append(ids, before, buffer);
                byte[] bytes = [.. buffer.Written, .. new byte[64]];
                var decoded = new uint[count + 16];
                fixed (byte* source = bytes)
                fixed (uint* destination = decoded)
                {
                    byte* payload = source + GapCodec.GroupCount(count);
                    kernels.DecodeGaps(source, payload, count, before, destination);
                    Assert.Equal(ids, decoded[..count]);
                    Array.Clear(decoded);
                    Assert.Equal(buffer.Count, (int)(GapCodec.Read(source, count, before, destination) - source));
                    Assert.Equal(ids, decoded[..count]);
                    Assert.Equal(buffer.Count, GapCodec.GroupCount(count) + GapCodec.PayloadByteCount(source, count));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void MultipliesImpacts(string name)
    {
        var random = new Random(2);
        byte[] impacts = new byte[300];
        random.NextBytes(impacts);
        var products = new uint[256];
        foreach (uint weight in (uint[])[1, 255, 1023])
        {
            fixed (byte* source = impacts)
            fixed (uint* destination = products)
            {
                SearchKernels.ByName(name).Multiply(source + 3, 200, weight, destination);
            }

            Assert.Equal(impacts[3..203].Select(impact => impact * weight), products[..200]);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void CollectsWhatReachesTheFloorAndZeroesAll(string name)
    {
        SearchKernels kernels = SearchKernels.ByName(name);
        var random = new Random(3);
        using var buffers = new SearchBuffers();
        foreach (int count in (int[])[1, 63, 64, 65, 1000, 16384])
        {
            foreach (uint floor in (uint[])[1, 500, 2_000_000_000])
            {
                var sums = new uint[count];
                for (int i = 0; i < count; i++)
                {
                    buffers.Sums[i] = sums[i] = random.Next(3) == 0 ? (uint)random.Next(1000) : random.Next(50) == 0 ? (uint)random.Next() : random.Next(9) == 0 ? floor : 0;
                }

                int found = kernels.Collect(buffers.Sums, count, floor, buffers.FoundIds, buffers.FoundSums);
                (uint, uint)[] expected = [.. sums.Select((sum, i) => ((uint)i, sum)).Where(pair => pair.sum >= floor)];
                Assert.Equal(expected, Enumerable.Range(0, found).Select(i => (buffers.FoundIds[i], buffers.FoundSums[i])));
                Assert.True(new Span<uint>(buffers.Sums, count).IndexOfAnyExcept(0u) < 0);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void AddsBoundsOfMaximaSaturating(string name)
    {
        SearchKernels kernels = SearchKernels.ByName(name);
        var random = new Random(4);
        const int DocumentCount = 70_000;
        int spanCount = SegmentFormat.SpanCount(DocumentCount);
        using var memory = new NativeBuffer<byte>();
        using var table = new NativeBuffer<byte>();
        using var found = new NativeBuffer<uint>();
        using var spanLeaves = new NativeBuffer<ulong>();
        using var spanMaxima = new NativeBuffer<uint>();
        byte* bounds = memory.Ensure(64 * spanCount);
        foreach (double density in (double[])[0.001, 0.05, 0.9])
        {
            foreach ((uint weight, double units) in ((uint, double)[])[(1, 0.01), (700, 0.001), (1023, 0.0004), (1023, 0.02), (255, 3)])
            {
                uint[] documents = [.. Enumerable.Range(0, DocumentCount).Where(i => i / 9000 % 3 != 1 && random.NextDouble() < density).Select(i => (uint)i)];
                byte[] impacts = [.. documents.Select(_ => (byte)random.Next(1, 256))];
                var expected = new int[64 * spanCount];
                for (int i = 0; i < expected.Length; i++)
                {
                    bounds[i] = (byte)(expected[i] = random.Next(100));
                }

                var map = BoundMap.For(weight, units, table.Ensure(BoundMap.TableSize));
                foreach (IGrouping<uint, byte> leaf in documents.Zip(impacts).GroupBy(pair => pair.First / 16, pair => pair.Second))
                {
                    double exact = leaf.Max() * weight * units;
                    int bound = Math.Min(255, (int)(((BlockMaximaEncoder.Maximum(leaf.Max()) * map.Multiplier) + (1u << map.Shift) - 1) >> map.Shift));
                    Assert.True(bound >= Math.Min(255, Math.Ceiling(exact)), $"bound {bound} of {exact}");
                    Assert.Equal(bound, map.Table[BlockMaximaEncoder.Maximum(leaf.Max())]);
                    expected[leaf.Key] = Math.Min(255, expected[leaf.Key] + bound);
                }

                var buffer = new ByteBuffer();
                new BlockMaximaEncoder(DocumentCount).Append(documents, impacts, buffer);
                byte[] bytes = [.. buffer.Written, .. new byte[64]];
                fixed (byte* source = bytes)
                {
                    var maxima = new BlockMaxima(source, spanCount);
                    ulong* leavesOfSpan = spanLeaves.Ensure(spanCount);
                    uint* maximaOfSpan = spanMaxima.Ensure(spanCount);
                    new Span<ulong>(leavesOfSpan, spanCount).Clear();
                    var list = new BoundedList { Maxima = maxima, Map = map };
                    kernels.AddBounds(&list, 1, maxima.WordCount, bounds, leavesOfSpan, maximaOfSpan);
                    var present = documents.Zip(impacts).GroupBy(pair => pair.First / 16, pair => pair.Second).ToDictionary(g => g.Key, g => BlockMaximaEncoder.Maximum(g.Max()));
                    for (uint leaf = 0; leaf < 64 * spanCount; leaf++)
                    {
                        ulong leavesThere = leavesOfSpan[leaf / 64];
                        int bit = (int)(leaf % 64);
                        Assert.Equal(present.ContainsKey(leaf) ? 1u : 0u, (leavesThere >> bit) & 1);
                        if (present.TryGetValue(leaf, out byte maximum))
                        {
                            Assert.Equal(maximum, maxima.Maxima[maximaOfSpan[leaf / 64] + (uint)BitOperations.PopCount(leavesThere & ((1UL << bit) - 1))]);
                        }
                    }
                }

                Assert.Equal(expected, new Span<byte>(bounds, expected.Length).ToArray().Select(b => (int)b));
                uint* leaves = found.Ensure(64 * spanCount);
                foreach (byte floor in (byte[])[1, 60, 128, 255])
                {
                    int count = kernels.Candidates(bounds, spanCount, floor, leaves);
                    Assert.Equal(count, kernels.CountAtLeast(bounds, spanCount, floor));
                    Assert.Equal(Enumerable.Range(0, expected.Length).Where(i => expected[i] >= floor), new Span<uint>(leaves, count).ToArray().Select(l => (int)l));
                }
            }
        }
    }

    [Fact]
    public void AMaximumNeverFallsBelowItsImpact()
    {
        for (int impact = 1; impact <= 255; impact++)
        {
            byte maximum = BlockMaximaEncoder.Maximum((byte)impact);
            Assert.InRange(maximum, (byte)1, (byte)127);
            Assert.True(maximum * 255.0 / 127 >= impact, $"{impact}");
            Assert.True((maximum - 1) * 255.0 / 127 < impact, $"{impact}");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void AddsWindowsAndLeavesOfEveryKind(string name)
    {
        SearchKernels kernels = SearchKernels.ByName(name);
        using var buffers = new SearchBuffers();
        LeafPart* located = stackalloc LeafPart[2];
        var random = new Random(5);
        foreach (PostingLayout layout in Enum.GetValues<PostingLayout>())
        {
            foreach (double density in (double[])[0.008, 0.03, 0.06, 0.07, 0.4, 1])
            {
                uint[] documents = [.. Enumerable.Range(0, SegmentFormat.WindowSize + 9000).Where(i => i >= SegmentFormat.WindowSize - 16 || random.NextDouble() < density).Select(i => (uint)i)];
                byte[] impacts = [.. documents.Select(_ => (byte)random.Next(1, 256))];
                var buffer = new ByteBuffer();
                new PostingListEncoder(SegmentFormat.WindowSize + 9000, layout).Append(documents, impacts, buffer);
                byte[] bytes = [.. buffer.Written, .. new byte[64]];
                fixed (byte* list = bytes)
                {
                    uint* offsets = (uint*)list;
                    for (int window = 0; window < 2; window++)
                    {
                        var reader = new WindowReader(list + offsets[window], list + offsets[window + 1]);
                        var expected = new uint[SegmentFormat.WindowSize];
                        foreach ((uint document, byte impact) in documents.Zip(impacts).Where(pair => pair.First >> 14 == window))
                        {
                            expected[document & 16383] = impact * 777u;
                        }

                        Assert.Equal(expected.Count(sum => sum > 0) >= SegmentFormat.BitmapPostingCount, reader.IsBitmap);
                        kernels.Accumulate(reader, layout, 777, buffers);
                        Assert.Equal(expected, new Span<uint>(buffers.Sums, SegmentFormat.WindowSize).ToArray());
                        new Span<uint>(buffers.Sums, SegmentFormat.WindowSize).Clear();
                        for (uint leaf = 0; leaf < 1024; leaf++)
                        {
                            var waiting = new LeafPart { Ids = list + offsets[window], Impacts = list + offsets[window + 1], Weight = 777 };
                            int count = kernels.Locate(&waiting, 1, 16 * leaf, located);
                            uint[] sums = expected[(int)(16 * leaf)..(int)((16 * leaf) + 16)];
                            sums[leaf % 16] += buffers.LeafSums[leaf % 16] = 5;
                            uint floor = sums[(leaf + 3) % 16] + 1;
                            Assert.Equal(sums.Select((sum, i) => sum >= floor ? 1u << i : 0).Aggregate((a, b) => a | b), kernels.ScoreLeaf(located, count, layout, 16 * leaf, floor, buffers.LeafSums));
                            new Span<uint>(buffers.LeafSums, 16).Clear();
                            buffers.LeafSums[leaf % 16] = 5;
                            Assert.NotEqual(0u, kernels.ScoreLeaf(located, count, layout, 16 * leaf, 1, buffers.LeafSums));
                            Assert.Equal(sums, new Span<uint>(buffers.LeafSums, 16).ToArray());
                            new Span<uint>(buffers.LeafSums, 16).Clear();
                        }
                    }
                }
            }
        }
    }
}
