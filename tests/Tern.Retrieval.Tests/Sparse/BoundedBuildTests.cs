using Xunit;

namespace Tern.Retrieval.Tests.Sparse;

public class BoundedBuildTests
{
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void ListsOfAFewTermsAtATimeAreThoseOfAll(bool reordered, bool large)
    {
        using var directory = new TemporaryDirectory();
        var random = new Random(7);
        // Of some documents more than a piece of the file, of some nothing.
        (SparseVector Vector, int)[] documents = [.. Enumerable.Range(0, large ? 12 : 700).Select(i => (i % 9 == 0 ? SparseVector.Empty : large ? Long(random, 40_000) : RandomVectors.Vector(random, 90, 12, 3), i))];
        int vocabularySize = large ? 300_000 : 90;
        using var buffer = new SpilledDocuments(Path.Combine(directory.Path, "spill"), vocabularySize);
        foreach ((SparseVector vector, _) in documents)
        {
            buffer.Add(vector.TermSpan, vector.WeightSpan);
        }

        int[]? order = reordered ? [.. documents.Select(d => d.Item2).OrderBy(_ => random.Next())] : null;
        var quantizer = ImpactQuantizer.ForLargest(buffer.LargestWeight);
        var lists = new InvertedLists(buffer, quantizer, order, byteCount: large ? 700_000 : 500);
        int ranges = 0;
        for (int first = 0; first < vocabularySize; ranges++)
        {
            int end = lists.Load(first);
            Assert.InRange(end, first + 1, vocabularySize);
            for (int term = first; term < end; term++)
            {
                if (large && term % 997 != 0)
                {
                    continue;
                }

                (uint Place, byte Impact)[] expected = [.. Enumerable.Range(0, documents.Length).Select(place => (Place: (uint)place, Weight: documents[order is null ? place : order[place]].Vector[term])).Where(p => p.Weight > 0).Select(p => (p.Place, quantizer.Quantize(p.Weight)))];
                Assert.Equal(expected, lists.Documents(term).ToArray().Zip(lists.Impacts(term).ToArray()));
            }

            first = end;
        }

        Assert.True(ranges > 2, $"{ranges} ranges");
    }

    [Theory]
    [InlineData(ImpactPrecision.Byte)]
    [InlineData(ImpactPrecision.Float32)]
    public void TheFileIsTheSameToTheByteAndNothingIsLeftBeside(ImpactPrecision precision)
    {
        using var directory = new TemporaryDirectory();
        byte[][] files = [.. new long[] { 0, 1 }.Select(memory =>
        {
            string path = Path.Combine(directory.Path, $"{memory}");
            var random = new Random(3);
            using (var builder = new SparseIndexBuilder(path, new SparseIndexOptions { VocabularySize = RandomVectors.GradedVocabularySize, Precision = precision, MemoryByteCount = memory }))
            {
                for (int i = 0; i < 20_000; i++)
                {
                    builder.Add($"d{i}", RandomVectors.Graded(random, i / 20_000.0, 3));
                }

                builder.Reorder([.. Enumerable.Range(0, 20_000).Reverse()]);
                builder.Complete();
            }

            Assert.Equal(2, Directory.GetFiles(path).Length);
            return File.ReadAllBytes(Path.Combine(path, SegmentFormat.FileName));
        })];
        Assert.Equal(files[0], files[1]);
    }

    [Fact]
    public void BisectionNeedsAllDocumentsInMemory()
    {
        using var directory = new TemporaryDirectory();
        using var builder = new SparseIndexBuilder(directory.Path, new SparseIndexOptions { VocabularySize = 3, MemoryByteCount = 1 });
        builder.Add("a", new SparseVector([1], [1f]));
        Assert.Contains("in memory", Assert.Throws<InvalidOperationException>(() => builder.Reorder()).Message, StringComparison.Ordinal);
    }

    private static SparseVector Long(Random random, int count) => new([.. Enumerable.Range(0, count).Select(i => 7 * i)], [.. Enumerable.Range(0, count).Select(_ => 1f + random.NextSingle())]);
}
