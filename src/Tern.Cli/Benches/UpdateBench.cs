using System.Collections.Concurrent;
using System.Diagnostics;
using Tern.Retrieval;

namespace Tern.Cli.Benches;

/// <summary>What a run of <see cref="UpdateBench"/> did and saw.</summary>
internal sealed record UpdateFigures(long Operations, long Commits, double Seconds, double CommitMilliseconds, long Reads, long Generations, int Segments, IReadOnlyList<string> Errors);

/// <summary>
/// One writer and some readers at once on one index. Each reader goes on to the newest commit again and again and compares
/// everything in it, and the answer to a query, with what that commit put there.
/// </summary>
internal static class UpdateBench
{
    public static UpdateFigures Run(string directory, UpdateSequence sequence, long operations, int readerCount, Action<long>? committed, CancellationToken cancellationToken)
    {
        var expected = new ConcurrentDictionary<long, ulong> { [0] = 0 };
        var errors = new ConcurrentQueue<string>();
        long reads = 0, seen = 0;
        bool done = false;
        using SegmentedIndexWriter writer = SegmentedIndexWriter.Create(directory, UpdateSequence.Settings, new SegmentedIndexWriterOptions { LogByteCount = 1 << 18, SegmentsPerTier = 4 });
        Thread[] readers = [.. Enumerable.Range(0, readerCount).Select(i => new Thread(() => Read(i)))];
        Array.ForEach(readers, thread => thread.Start());
        long start = Stopwatch.GetTimestamp();
        long inCommit = 0;
        try
        {
            while (sequence.OperationCount < operations && errors.IsEmpty)
            {
                cancellationToken.ThrowIfCancellationRequested();
                sequence.Next(writer);
                // Before the commit, which a reader may see before it returns.
                expected[sequence.Commit] = sequence.Hash;
                long begun = Stopwatch.GetTimestamp();
                writer.Commit();
                inCommit += Stopwatch.GetTimestamp() - begun;
                committed?.Invoke(sequence.Commit);
            }
        }
        finally
        {
            Volatile.Write(ref done, true);
            Array.ForEach(readers, thread => thread.Join());
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        writer.Merge(cancellationToken);
        using (var last = SegmentedIndex.Open(directory))
        {
            Check(last, new Random(0));
            return new UpdateFigures(sequence.OperationCount, sequence.Commit, seconds, inCommit * 1000.0 / Stopwatch.Frequency / Math.Max(1, sequence.Commit), reads, seen, last.SegmentCount, [.. errors]);
        }

        void Read(int number)
        {
            try
            {
                var random = new Random(number);
                SegmentedIndex index = SegmentedIndex.Open(directory);
                while (!Volatile.Read(ref done) && errors.IsEmpty)
                {
                    if (index.OpenNewer() is { } newer)
                    {
                        // An old one must still be what it was when a newer one is there.
                        if (random.Next(8) == 0)
                        {
                            Check(index, random);
                        }

                        index.Dispose();
                        index = newer;
                        Interlocked.Increment(ref seen);
                    }

                    Check(index, random);
                    Interlocked.Increment(ref reads);
                }

                index.Dispose();
            }
            catch (Exception e)
            {
                errors.Enqueue($"reader {number}: {e.GetType().Name}: {e.Message}");
            }
        }

        void Check(SegmentedIndex index, Random random)
        {
            if (!expected.TryGetValue(index.Commit, out ulong hash) || UpdateSequence.HashOf(index) != hash)
            {
                errors.Enqueue(Invariant($"commit {index.Commit} does not hold what was committed"));
            }

            if (!UpdateSequence.IsAnsweredExactly(index, random, 10))
            {
                errors.Enqueue(Invariant($"commit {index.Commit}: a search does not give what a scan gives"));
            }
        }
    }
}
