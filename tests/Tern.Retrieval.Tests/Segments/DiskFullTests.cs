using Xunit;

namespace Tern.Retrieval.Tests.Segments;

/// <summary>Every write and sync of a writer's life fails once, as on a full disk; then there is room again.</summary>
public class DiskFullTests
{
    private static readonly SegmentedIndexWriterOptions Options = new() { BackgroundMerge = false, SegmentsPerTier = 2 };

    [Fact]
    public void WhatWasCommittedStaysAndTheRestCanBeDoneAgain()
    {
        int failures = 0, operations = Count();
        for (int fails = 0; fails < operations; fails += 7)
        {
            failures += Run(fails) ? 1 : 0;
        }

        Assert.InRange(failures, 20, int.MaxValue);
    }

    private static int Count()
    {
        using var directory = new TemporaryDirectory();
        var files = new FullDisk(int.MaxValue);
        Live(directory.Path, files, new ChangedDocuments(ChangedDocuments.Sparse(), seed: 21, idCount: 10), _ => { });
        return files.Count;
    }

    private static bool Run(int fails)
    {
        using var directory = new TemporaryDirectory();
        var documents = new ChangedDocuments(ChangedDocuments.Sparse(), seed: 21, idCount: 10);
        var files = new FullDisk(fails);
        long committed = -1;
        try
        {
            Live(directory.Path, files, documents, commit => committed = commit);
            Assert.Equal(4, committed);
        }
        catch (IOException e) when (e.Message == FullDisk.Problem)
        {
        }

        if (SegmentedIndex.Exists(directory.Path))
        {
            using (var index = SegmentedIndex.Open(directory.Path))
            {
                Assert.InRange(index.Commit, Math.Max(0, committed), committed + 1);
                documents.RequireEqual(index, index.Commit);
            }

            using var writer = SegmentedIndexWriter.Open(new RecordedFiles(), directory.Path, Options);
            writer.Upsert(documents.Document("after"));
            writer.Compact();
            using var after = SegmentedIndex.Open(directory.Path);
            Assert.True(after.TryFind("after", out _));
        }
        else
        {
            Assert.Equal(-1, committed);
        }

        return files.HasFailed;
    }

    private static void Live(string directory, FullDisk files, ChangedDocuments documents, Action<long> committed)
    {
        using var writer = SegmentedIndexWriter.Create(files, directory, ChangedDocuments.Sparse(), Options);
        committed(0);
        for (int commit = 1; commit <= 4; commit++)
        {
            documents.Change(writer, 4);
            Again(files, () => Assert.Equal(commit, writer.Commit()));
            committed(commit);
            if (commit == 2)
            {
                Again(files, writer.Flush);
            }

            if (commit == 4)
            {
                Again(files, () => writer.Compact());
            }
        }
    }

    /// <summary>Where it fails only for want of space, it must do so without harm: it succeeds when it is called again.</summary>
    private static void Again(FullDisk files, Action action)
    {
        try
        {
            action();
        }
        catch (IOException e) when (e.Message == FullDisk.Problem && !files.WasPublishing)
        {
            action();
        }
    }

    private sealed class FullDisk(int fails) : RecordedFiles
    {
        public const string Problem = "No space left on device";

        public int Count { get; private set; }

        public bool HasFailed { get; private set; }

        /// <summary>The operation that failed may have given a generation its name; the writer must be opened again.</summary>
        public bool WasPublishing { get; private set; }

        protected override void Record(FileOperation operation)
        {
            if (operation is FileOperation.Write or FileOperation.Sync or FileOperation.SyncDirectory or FileOperation.Link or FileOperation.MakeDirectory or FileOperation.Rename && Count++ == fails)
            {
                HasFailed = true;
                WasPublishing = operation is FileOperation.Rename rename ? rename.To.Contains("generation-", StringComparison.Ordinal) : operation is FileOperation.SyncDirectory && Operations[^1] is FileOperation.Rename last && last.To.Contains("generation-", StringComparison.Ordinal);
                throw new IOException(Problem);
            }

            base.Record(operation);
        }
    }
}
