using Xunit;

namespace Tern.Retrieval.Tests.Segments;

public class IndexMergeTests
{
    [Theory]
    [InlineData("byte", 4f)]
    [InlineData("float32", 0f)]
    [InlineData("dense", 0f)]
    public void MergedShardsAreWhatOneBuilderMakesOfAll(string kind, float largestWeight)
    {
        using var directory = new TemporaryDirectory();
        IndexSettings settings = SegmentedIndexTests.Settings(kind) with { LargestWeight = largestWeight };
        var documents = new ChangedDocuments(settings, seed: 41);
        IndexDocument[] all = [.. Enumerable.Range(0, 40).Select(i => documents.Document($"d{i}"))];
        Build(directory.File("one"), settings, all);
        Build(directory.File("a"), settings, all[..13]);
        // The heaviest weights are here, so that scales of their own differ.
        Build(directory.File("b"), settings, [.. all[13..], new IndexDocument("gone") { Sparse = kind == "dense" ? null : new SparseVector([1], [7f]), Dense = kind == "dense" ? new float[settings.Dimension] : default }]);
        using (var writer = SegmentedIndexWriter.Open(directory.File("b")))
        {
            writer.Delete("gone");
            writer.Commit();
        }

        Assert.Equal(40, IndexMerge.Write(directory.File("merged"), [directory.File("a"), directory.File("b")]));
        string file = kind == "dense" ? "dense.tern" : "segment.tern";
        Assert.Equal(File.ReadAllBytes(directory.File($"one/{file}")), File.ReadAllBytes(directory.File($"merged/{file}")));
        Assert.Equal(File.ReadAllBytes(directory.File("one/documents.tern")), File.ReadAllBytes(directory.File("merged/documents.tern")));
    }

    [Fact]
    public void ScalesThatDifferAreRefusedForEightBits()
    {
        using var directory = new TemporaryDirectory();
        IndexSettings settings = ChangedDocuments.Sparse() with { LargestWeight = 0, HasPayload = false, Fields = [] };
        Build(directory.File("a"), settings, [new IndexDocument("a") { Sparse = new SparseVector([1], [2f]) }]);
        Build(directory.File("b"), settings, [new IndexDocument("b") { Sparse = new SparseVector([1], [3f]) }]);
        Assert.Contains("--largest-weight", Assert.Throws<InvalidDataException>(() => IndexMerge.Write(directory.File("m"), [directory.File("a"), directory.File("b")])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnIdInTwoShardsAnotherModelAndOtherFieldsAreRefused()
    {
        using var directory = new TemporaryDirectory();
        IndexSettings settings = ChangedDocuments.Sparse() with { HasPayload = false, Fields = [] };
        var document = new IndexDocument("a") { Sparse = new SparseVector([1], [2f]) };
        Build(directory.File("a"), settings, [document]);
        Build(directory.File("b"), settings, [document]);
        Build(directory.File("c"), settings with { Fingerprint = "other" }, [document]);
        Build(directory.File("d"), settings with { Fields = [new FieldDefinition("x", FieldKind.Bool)] }, [document]);
        foreach ((string other, string problem) in new[] { ("b", "document 'a' is in"), ("c", "another model"), ("d", "fields x:bool") })
        {
            Assert.Contains(problem, Assert.Throws<InvalidDataException>(() => IndexMerge.Write(directory.File("m"), [directory.File("a"), directory.File(other)])).Message, StringComparison.Ordinal);
        }
    }

    /// <summary>What merging depends on: an impact that is made a weight and quantised again is itself.</summary>
    [Fact]
    public void EveryImpactIsQuantisedToItself()
    {
        var random = new Random(1);
        for (int i = 0; i < 20_000; i++)
        {
            float scale = i == 0 ? float.Epsilon : BitConverter.Int32BitsToSingle(random.Next(1, 0x7B00_0000));
            var quantizer = new ImpactQuantizer(scale);
            for (int impact = 1; impact <= 255; impact++)
            {
                if (quantizer.Quantize(impact * scale) != impact)
                {
                    Assert.Fail($"{impact} times {scale:R} becomes {quantizer.Quantize(impact * scale)}");
                }
            }
        }
    }

    private static void Build(string directory, IndexSettings settings, IndexDocument[] documents)
    {
        using var builder = new SegmentBuilder(directory, settings);
        Array.ForEach(documents, builder.Add);
        builder.Complete();
    }
}
