using Xunit;

namespace Tern.Retrieval.Tests.Segments;

/// <summary>
/// The power is cut before every operation that orders others (sync, rename, delete) of building, committing and merging:
/// what opens is the last commit that had returned, or the one that was just being made.
/// </summary>
public class PowerCutTests
{
    [Theory]
    [InlineData("byte")]
    [InlineData("dense")]
    public void TheOldOrTheNewCommitOpens(string kind)
    {
        using var directory = new TemporaryDirectory();
        IndexSettings settings = SegmentedIndexTests.Settings(kind);
        var documents = new ChangedDocuments(settings, seed: 11, idCount: 12);
        var files = new RecordedFiles();
        var options = new SegmentedIndexWriterOptions { BackgroundMerge = false, SegmentsPerTier = 2 };
        using (var writer = SegmentedIndexWriter.Create(files, directory.Path, settings, options))
        {
            files.Note(0);
            for (int commit = 1; commit <= 7; commit++)
            {
                documents.Change(writer, 4);
                writer.Commit();
                files.Note(commit);
                switch (commit)
                {
                    case 2 or 4:
                        writer.Flush();
                        break;
                    case 5:
                        writer.Merge();
                        break;
                    case 6:
                        writer.Compact();
                        break;
                }
            }
        }

        using (var writer = SegmentedIndexWriter.Open(files, directory.Path, options))
        {
            documents.Change(writer, 4);
            writer.Flush();
            files.Note(8);
        }

        int states = Cut(directory.Path, files.Operations, mixtures: 2, (path, committed) =>
        {
            if (committed < 0 && !SegmentedIndex.Exists(path))
            {
                return;
            }

            using (SegmentedIndex index = SegmentedIndex.Open(path))
            {
                Assert.InRange(index.Commit, Math.Max(committed, 0), committed + 1);
                documents.RequireEqual(index, index.Commit);
            }

            RequireThatAWriterGoesOn(path, documents, options);
        });
        Assert.InRange(states, 200, int.MaxValue);
    }

    [Fact]
    public void ABuiltIndexIsThereWholeOrNotAtAll()
    {
        using var directory = new TemporaryDirectory();
        IndexSettings settings = ChangedDocuments.Sparse();
        var documents = new ChangedDocuments(settings, seed: 12);
        var files = new RecordedFiles();
        using (var builder = new SegmentBuilder(files, directory.Path, settings))
        {
            for (int i = 0; i < 9; i++)
            {
                builder.Add(documents.Document($"d{i}"));
            }

            builder.Complete();
            files.Note(0);
        }

        int whole = 0;
        Cut(directory.Path, files.Operations, mixtures: 16, (path, committed) =>
        {
            if (committed == 0 || SegmentedIndex.Exists(path))
            {
                using var index = SegmentedIndex.Open(path);
                Assert.Equal(9, index.DocumentCount);
                Assert.Equal(9, index.Documents().Count(docId => index.Payload(docId).Length > 0));
                whole++;
            }
        });
        Assert.InRange(whole, 2, int.MaxValue);
    }

    private static void RequireThatAWriterGoesOn(string path, ChangedDocuments documents, SegmentedIndexWriterOptions options)
    {
        long commit;
        using (var writer = SegmentedIndexWriter.Open(new RecordedFiles(), path, options))
        {
            commit = writer.LastCommit;
            writer.Upsert(documents.Document("after"));
            Assert.Equal(commit + 1, writer.Commit());
        }

        using var index = SegmentedIndex.Open(path);
        Assert.Equal(documents.Commits[(int)commit].Keys.Append("after").Order(StringComparer.Ordinal), index.Documents().Select(index.ExternalId).Order(StringComparer.Ordinal));
    }

    /// <summary>Hands over every state that a cut can leave, with the last commit that had returned by then; −1: none.</summary>
    private static int Cut(string root, List<FileOperation> operations, int mixtures, Action<string, int> check)
    {
        var seen = new HashSet<(ulong, int)>();
        int committed = -1;
        for (int i = 0; i <= operations.Count; i++)
        {
            if (i < operations.Count && operations[i] is FileOperation.Note note)
            {
                committed = note.Value;
            }

            if (i < operations.Count && operations[i] is FileOperation.Write or FileOperation.Link or FileOperation.MakeDirectory)
            {
                continue;
            }

            for (int way = 0; way < 2 + mixtures; way++)
            {
                Unsynced unsynced = way switch { 0 => Unsynced.Lost, 1 => Unsynced.Kept, _ => Unsynced.Mixed };
                int seed = (i * mixtures) + way;
                SortedDictionary<string, byte[]> state = PowerCut.After(root, operations, i, unsynced, seed);
                if (seen.Add((PowerCut.Signature(state), committed)))
                {
                    using var restored = new TemporaryDirectory();
                    PowerCut.Restore(state, restored.Path);
                    try
                    {
                        check(restored.Path, committed);
                    }
                    catch (Exception e)
                    {
                        throw new Xunit.Sdk.XunitException($"cut before operation {i} of {operations.Count} ({(i < operations.Count ? operations[i] : "end")}), unsynced {unsynced} by seed {seed}, committed {committed}: {e}");
                    }
                }
            }
        }

        return seen.Count;
    }
}
