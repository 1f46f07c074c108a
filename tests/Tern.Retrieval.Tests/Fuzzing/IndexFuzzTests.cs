using Tern.Retrieval.Fuzzing;
using Xunit;

namespace Tern.Retrieval.Tests.Fuzzing;

/// <summary>Damaged indexes of every kind, half of them behind right checksums: refused with the file, or answered, and nothing else.</summary>
public class IndexFuzzTests
{
    [Theory]
    [InlineData("packed")]
    [InlineData("raw")]
    [InlineData("float32")]
    [InlineData("dense")]
    public void DamageIsRefusedOrHarmless(string kind)
    {
        using var directory = new TemporaryDirectory();
        Build(directory.Path, kind);
        IndexFuzzResult result = new IndexFuzz(directory.Path, seed: 3).Run(150);
        Assert.Empty(result.Errors);
        Assert.Equal(150, result.Refused + result.Unchanged + result.Changed);
        Assert.InRange(result.Rewritten, 50, 100);
        Assert.InRange(result.Refused, 50, 149);
        Assert.InRange(result.Changed, 1, 100);
        SegmentedIndex.Open(directory.Path).Dispose();
    }

    [Fact]
    public void ASeedDecidesEverything()
    {
        using var directory = new TemporaryDirectory();
        Build(directory.Path, "dense");
        Assert.Equivalent(new IndexFuzz(directory.Path, seed: 9).Run(40), new IndexFuzz(directory.Path, seed: 9).Run(40));
    }

    /// <summary>Two segments, with deleted documents, and a log; of sparse ones the first has short lists, blocks and bitmaps.</summary>
    private static void Build(string directory, string kind)
    {
        bool isDense = kind == "dense";
        var settings = new IndexSettings
        {
            Kind = isDense ? VectorKind.Dense : VectorKind.Sparse,
            Dimension = isDense ? 5 : RandomVectors.GradedVocabularySize,
            Layout = kind == "raw" ? PostingLayout.Raw : PostingLayout.Packed,
            Precision = kind == "float32" ? ImpactPrecision.Float32 : ImpactPrecision.Byte,
            Scan = DenseScan.Int8,
            HasPayload = true,
            LargestWeight = 4,
            Fields = [new FieldDefinition("n", FieldKind.Number), new FieldDefinition("s", FieldKind.String), new FieldDefinition("d", FieldKind.Date), new FieldDefinition("b", FieldKind.Bool)],
        };
        var random = new Random(1);
        using var writer = SegmentedIndexWriter.Create(directory, settings, new SegmentedIndexWriterOptions { BackgroundMerge = false });
        foreach (int count in (int[])[isDense ? 300 : 3000, 40, 8])
        {
            for (int i = 0; i < count; i++)
            {
                string id = $"d{random.Next(10_000)}";
                writer.Upsert(new IndexDocument(id)
                {
                    Sparse = isDense ? null : RandomVectors.Graded(random, i / (double)count, 0),
                    Dense = isDense ? Enumerable.Range(0, 5).Select(_ => (float)random.NextDouble()).ToArray() : default,
                    Payload = System.Text.Encoding.UTF8.GetBytes(id),
                    Fields = new Dictionary<string, FieldValue> { ["n"] = FieldValue.Of(i), ["s"] = FieldValue.Of(i % 2 == 0 ? "even" : "odd"), ["d"] = FieldValue.Of(DateTimeOffset.UnixEpoch.AddDays(i)), ["b"] = FieldValue.Of(i % 3 == 0) },
                });
            }

            writer.Commit();
            if (count > 8)
            {
                writer.Flush();
            }
        }
    }
}
