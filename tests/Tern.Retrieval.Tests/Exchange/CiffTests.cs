using Tern.Retrieval.Exchange;
using Xunit;

namespace Tern.Retrieval.Tests.Exchange;

public sealed class CiffTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Path => _directory.File("i.ciff");

    /// <summary>Encoded by hand from the format's protocol buffer definition.</summary>
    [Fact]
    public void TheBytesAreThoseOfTheDefinition()
    {
        SparseDocument[] documents = [new("d0", new SparseVector([2, 10], [1f, 200f])), new("d1", SparseVector.Empty), new("d2", new SparseVector([2], [3f]))];
        using var stream = new MemoryStream();
        Assert.Equal(1, Ciff.Write(stream, documents, TermNames.Ids, new ImpactRounding(1)));
        byte[] description = System.Text.Encoding.ASCII.GetBytes("Tern: learned sparse vectors; tf = round(weight * 1)");
        byte[] average = BitConverter.GetBytes(204 / 3.0);
        byte[] header = [0x08, 1, 0x10, 2, 0x18, 3, 0x20, 2, 0x28, 3, 0x30, 0xCC, 0x01, 0x39, .. average, 0x42, (byte)description.Length, .. description];
        // "10" before "2": order of bytes. A gap of 0 (document 0) is the default and is not written.
        byte[] ten = [0x0A, 2, (byte)'1', (byte)'0', 0x10, 1, 0x18, 0xC8, 0x01, 0x22, 3, 0x10, 0xC8, 0x01];
        byte[] two = [0x0A, 1, (byte)'2', 0x10, 2, 0x18, 4, 0x22, 2, 0x10, 1, 0x22, 4, 0x08, 2, 0x10, 3];
        byte[][] records = [[0x12, 2, (byte)'d', (byte)'0', 0x18, 0xC9, 0x01], [0x08, 1, 0x12, 2, (byte)'d', (byte)'1'], [0x08, 2, 0x12, 2, (byte)'d', (byte)'2', 0x18, 3]];
        byte[][] messages = [header, ten, two, .. records];
        Assert.Equal(messages.SelectMany(m => m.Prepend((byte)m.Length)), stream.ToArray());
    }

    [Theory]
    [InlineData(PostingSorter.DefaultBufferCount)]
    [InlineData(50)]
    public void WhatIsWrittenIsReadBack(int bufferCount)
    {
        SparseDocument[] documents = ExchangeSamples.Sparse(8, count: 120, distinctWeights: 255);
        Write(documents, bufferCount);
        ExchangeSamples.Same(documents, Ciff.Read(Path, TermNames.Ids, 1, bufferCount));
        CiffHeader header = Ciff.ReadHeader(Path);
        Assert.Equal((1, documents.SelectMany(d => d.Vector.Terms.ToArray()).Distinct().Count(), 120), (header.Version, header.PostingListCount, header.DocumentCount));
        var halves = Ciff.Read(Path, TermNames.Ids, 2).ToList();
        Assert.Equal(documents[7].Vector.Weights.ToArray().Select(w => w / 2), halves[7].Vector.Weights.ToArray());
    }

    [Fact]
    public void EightBitsOfAnyWeights()
    {
        SparseDocument[] documents = ExchangeSamples.Sparse(9);
        float largest = documents.Max(d => d.Vector.Weights.ToArray().DefaultIfEmpty().Max());
        var rounding = new ImpactRounding(ImpactRounding.EightBitScale(largest), 255);
        using (FileStream file = File.Create(Path))
        {
            Ciff.Write(file, documents, TermNames.Ids, rounding);
        }

        var read = Ciff.Read(Path, TermNames.Ids, rounding.Scale).ToList();
        Assert.Equal(0, rounding.ClampedCount);
        Assert.Equal(255, Ciff.Read(Path, TermNames.Ids).Max(d => d.Vector.Weights.ToArray().DefaultIfEmpty().Max()));
        for (int i = 0; i < documents.Length; i++)
        {
            foreach (int term in documents[i].Vector.Terms.ToArray())
            {
                Assert.True(Math.Abs(documents[i].Vector[term] - read[i].Vector[term]) <= 0.5001 / rounding.Scale);
            }
        }
    }

    [Fact]
    public void EveryCutAndMostFlippedBytesAreRefused()
    {
        SparseDocument[] documents = ExchangeSamples.Sparse(10, count: 8, maxCount: 6, distinctWeights: 9);
        Write(documents);
        byte[] whole = File.ReadAllBytes(Path);
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(Path, whole[..length]);
            Assert.StartsWith($"{Path}: at byte ", Assert.Throws<InvalidDataException>(() => Ciff.Read(Path, TermNames.Ids).Count()).Message, StringComparison.Ordinal);
        }

        // The format has no checksums: a flipped bit may give another valid file, but never another kind of failure.
        for (int i = 0; i < 8 * whole.Length; i++)
        {
            byte[] damaged = [.. whole];
            damaged[i / 8] ^= (byte)(1 << (i % 8));
            File.WriteAllBytes(Path, damaged);
            try
            {
                Assert.Equal(8, Ciff.Read(Path, TermNames.Ids).Count());
            }
            catch (InvalidDataException e)
            {
                Assert.StartsWith(Path, e.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void TheSorterMergesWhatItSpilled()
    {
        var random = new Random(3);
        using var sorter = new PostingSorter(40_000);
        (int, int, int)[] triples = [.. Enumerable.Range(0, 200_001).Select(i => (random.Next(300), random.Next(), i))];
        foreach ((int major, int minor, int value) in triples)
        {
            sorter.Add(major, minor, value);
        }

        Assert.Equal(triples.OrderBy(t => t.Item1).ThenBy(t => t.Item2), sorter.Sorted());
    }

    public void Dispose() => _directory.Dispose();

    private void Write(SparseDocument[] documents, int bufferCount = 1000)
    {
        using FileStream file = File.Create(Path);
        Ciff.Write(file, documents, TermNames.Ids, new ImpactRounding(1), bufferCount);
    }
}
