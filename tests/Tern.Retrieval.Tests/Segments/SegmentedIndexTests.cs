using Xunit;

namespace Tern.Retrieval.Tests.Segments;

/// <summary>Several segments, deletes and the log against a scan over the same documents.</summary>
public class SegmentedIndexTests
{
    public static TheoryData<string> Kinds() => ["byte", "float32", "dense"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void EveryCommitIsWhatAScanOverItsDocumentsGives(string kind)
    {
        using var directory = new TemporaryDirectory();
        IndexSettings settings = Settings(kind);
        var documents = new ChangedDocuments(settings, seed: 5, idCount: 60);
        using var writer = SegmentedIndexWriter.Create(directory.Path, settings, new SegmentedIndexWriterOptions { BackgroundMerge = false, SegmentsPerTier = 4 });
        SegmentedIndex index = SegmentedIndex.Open(directory.Path);
        documents.RequireEqual(index, 0);
        for (int commit = 1; commit <= 24; commit++)
        {
            documents.Change(writer, 12);
            Assert.Equal(commit, writer.Commit());
            switch (commit % 6)
            {
                case 2 or 3:
                    writer.Flush();
                    break;
                case 5:
                    writer.Merge();
                    break;
                case 0 when commit == 18:
                    writer.Compact();
                    Assert.Equal(1, writer.SegmentCount);
                    break;
            }

            SegmentedIndex? newer = index.OpenNewer();
            Assert.NotNull(newer);
            documents.RequireEqual(index, commit - 1);
            index.Dispose();
            index = newer;
            Assert.Equal(commit, index.Commit);
            documents.RequireEqual(index, commit);
            using var fresh = SegmentedIndex.Open(directory.Path);
            documents.RequireEqual(fresh, commit);
        }

        Assert.Null(index.OpenNewer());
        index.Dispose();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ABuiltIndexGoesOnAsOneThatIsUpdated(string kind)
    {
        using var directory = new TemporaryDirectory();
        IndexSettings settings = Settings(kind);
        var documents = new ChangedDocuments(settings, seed: 6);
        using (var builder = new SegmentBuilder(directory.Path, settings))
        {
            for (int i = 0; i < 20; i++)
            {
                builder.Add(documents.Document($"d{i}"));
            }

            builder.Complete();
        }

        using var built = SegmentedIndex.Open(directory.Path);
        using (var writer = SegmentedIndexWriter.Open(directory.Path))
        {
            for (int i = 0; i < 20; i++)
            {
                Assert.True(writer.Delete($"d{i}"));
            }

            Assert.False(writer.Delete("d20"));
            documents.Change(writer, 10);
            Assert.Equal(1, writer.Commit());
            using (var updated = SegmentedIndex.Open(directory.Path))
            {
                documents.RequireEqual(updated, 1);
            }

            writer.Compact();
        }

        Assert.Equal(20, built.DocumentCount);
        Assert.Equal("d7", built.ExternalId(built.TryFind("d7", out int docId) ? docId : -1));
        using var compacted = SegmentedIndex.Open(directory.Path);
        documents.RequireEqual(compacted, 1);
        Assert.False(File.Exists(directory.File("manifest.json")));
        string refusal = kind == "dense"
            ? Assert.Throws<InvalidDataException>(() => DenseIndex.Open(directory.Path)).Message
            : Assert.Throws<InvalidDataException>(() => SparseIndex.Open(directory.Path)).Message;
        Assert.Contains("was updated", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void UncommittedChangesAreNotSeenAndAreLost()
    {
        using var directory = new TemporaryDirectory();
        var documents = new ChangedDocuments(ChangedDocuments.Sparse(), seed: 7);
        using (var writer = SegmentedIndexWriter.Create(directory.Path, ChangedDocuments.Sparse()))
        {
            documents.Change(writer, 5);
            writer.Commit();
            writer.Upsert(documents.Document("never"));
            Assert.True(writer.Contains("never"));
            using var index = SegmentedIndex.Open(directory.Path);
            documents.RequireEqual(index, 1);
        }

        using var reopened = SegmentedIndexWriter.Open(directory.Path);
        Assert.False(reopened.Contains("never"));
        Assert.Equal(1, reopened.LastCommit);
    }

    [Fact]
    public void ASecondWriterIsRefusedAndAReaderIsNot()
    {
        using var directory = new TemporaryDirectory();
        using (SegmentedIndexWriter.Create(directory.Path, ChangedDocuments.Sparse()))
        {
            Assert.Contains("another writer", Assert.Throws<IOException>(() => SegmentedIndexWriter.Open(directory.Path)).Message, StringComparison.Ordinal);
            SegmentedIndex.Open(directory.Path).Dispose();
            Assert.Contains("already", Assert.Throws<IOException>(() => SegmentedIndexWriter.Create(directory.Path, ChangedDocuments.Sparse())).Message, StringComparison.Ordinal);
        }

        SegmentedIndexWriter.Open(directory.Path).Dispose();
    }

    [Fact]
    public void FilesStayWhileAReaderHasThemAndGoWithTheWriter()
    {
        using var directory = new TemporaryDirectory();
        var documents = new ChangedDocuments(ChangedDocuments.Sparse(), seed: 8);
        using var writer = SegmentedIndexWriter.Create(directory.Path, ChangedDocuments.Sparse());
        documents.Change(writer, 10);
        writer.Flush();
        string[] before = Directory.GetDirectories(directory.Path);
        using (var reader = SegmentedIndex.Open(directory.Path))
        {
            documents.Change(writer, 10);
            writer.Compact();
            Assert.Subset(Directory.GetDirectories(directory.Path).ToHashSet(), before.ToHashSet());
            documents.RequireEqual(reader, 1);
        }

        writer.Dispose();
        Assert.Empty(Directory.GetDirectories(directory.Path).Intersect(before));
        Assert.Single(Directory.GetFiles(directory.Path, "generation-*"));
        Assert.Single(Directory.GetFiles(directory.Path, "log-*"));
    }

    [Fact]
    public void WeightsAboveTheGreatestAreKeptAsItAndCounted()
    {
        using var directory = new TemporaryDirectory();
        IndexSettings settings = ChangedDocuments.Sparse() with { LargestWeight = 0, HasPayload = false, Fields = [] };
        using var writer = SegmentedIndexWriter.Create(directory.Path, settings);
        writer.Upsert(new IndexDocument("a") { Sparse = new SparseVector([1], [2f]) });
        writer.Flush();
        writer.Upsert(new IndexDocument("b") { Sparse = new SparseVector([1], [3f]) });
        writer.Flush();
        Assert.Equal(1, writer.SaturatedWeightCount);
        using var index = SegmentedIndex.Open(directory.Path);
        Hit[] hits = index.Search(new SparseVector([1], [1f]), 10);
        Assert.Equal(["b", "a"], hits.Select(hit => index.ExternalId(hit.DocId)));
        Assert.Equal(hits[0].Score, hits[1].Score);
    }

    [Fact]
    public void DocumentsThatDoNotFitAreRefused()
    {
        using var directory = new TemporaryDirectory();
        using var writer = SegmentedIndexWriter.Create(directory.Path, ChangedDocuments.Sparse());
        foreach ((IndexDocument document, string problem) in (IEnumerable<(IndexDocument, string)>)
            [
                (new IndexDocument("") { Sparse = SparseVector.Empty }, "empty id"),
                (new IndexDocument("a"), "no sparse vector"),
                (new IndexDocument("a") { Sparse = new SparseVector([24], [1f]) }, "24 terms"),
                (new IndexDocument("a") { Sparse = SparseVector.Empty, Fields = new Dictionary<string, FieldValue> { ["year"] = FieldValue.Of("x") } }, "year:number"),
            ])
        {
            Assert.Contains(problem, Assert.Throws<ArgumentException>(() => writer.Upsert(document)).Message, StringComparison.Ordinal);
        }
    }

    internal static IndexSettings Settings(string kind) => kind switch
    {
        "byte" => ChangedDocuments.Sparse(),
        "float32" => ChangedDocuments.Sparse(ImpactPrecision.Float32),
        _ => ChangedDocuments.Dense(),
    };
}
