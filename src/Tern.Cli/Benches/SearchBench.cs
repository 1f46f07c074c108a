using System.Diagnostics;
using Tern.Retrieval;
using Tern.Retrieval.Exchange;

namespace Tern.Cli.Benches;

/// <summary>One row of <c>tern bench search</c>; times in milliseconds, of each query's fastest pass.</summary>
internal sealed record SearchTiming(string Algorithm, string Layout, int K, double Mean, double P50, double P95, double P99, double BytesPerPosting, long AllocatedBytesPerQuery, double QueriesPerSecond);

/// <summary>An index made from a CSR file for timing, in a directory of its own. Opening: the median of several times, each in the page cache.</summary>
internal sealed record BenchIndex(string Directory, string Layout, long PostingCount, double BuildSeconds, double OpenMilliseconds, double PostingBytes, double SegmentBytes);

/// <summary>
/// Builds indexes from vectors and times every query alone: each pass searches all queries once, one after the other, and
/// of each query the fastest pass counts, by a clock of nanoseconds. Every algorithm's hits are compared with the first one's before anything is timed.
/// </summary>
internal sealed class SearchBench(string prefix, string workDirectory, Func<long> clock)
{
    private readonly SparseVector[] _queries = [.. SparseCsr.Read(prefix + ".queries.csr").Select(row => row.Vector)];

    public int QueryCount => _queries.Length;

    private const int OpeningCount = 9;

    /// <summary>Builds an index in the documents' given order, or in that of <c>PREFIX.bp.u32</c> where there is one; returns the seconds that writing took.</summary>
    public double Build(PostingLayout layout, ImpactPrecision precision, Action<int> progress)
    {
        string directory = IndexDirectory(layout);
        string documents = prefix + ".docs.csr";
        (long rows, long columns, _) = SparseCsr.ReadHeader(documents);
        using var builder = new SparseIndexBuilder(directory, new SparseIndexOptions { VocabularySize = (int)Math.Max(1, columns), Layout = layout, Precision = precision });
        foreach (SparseDocument row in SparseCsr.Read(documents))
        {
            builder.Add(row.Id, row.Vector);
            if (builder.DocumentCount % 10_000 == 0)
            {
                progress(builder.DocumentCount);
            }
        }

        if (ReadOrder(rows) is { } order)
        {
            builder.Reorder(order);
        }

        long started = Stopwatch.GetTimestamp();
        builder.Complete();
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    /// <summary>Opens an index that was built, several times; one of other vectors is refused.</summary>
    public BenchIndex Open(PostingLayout layout, ImpactPrecision precision, double buildSeconds)
    {
        string directory = IndexDirectory(layout);
        (long rows, long columns, long count) = SparseCsr.ReadHeader(prefix + ".docs.csr");
        double[] milliseconds = new double[OpeningCount];
        for (int i = 0; i < OpeningCount; i++)
        {
            long started = Stopwatch.GetTimestamp();
            SparseIndex.Open(directory, verify: false).Dispose();
            milliseconds[i] = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        }

        using SparseIndex index = SparseIndex.Open(directory, verify: false);
        if (index.DocumentCount != rows || index.VocabularySize != Math.Max(1, columns) || index.PostingCount > count || index.Layout != layout || index.Precision != precision)
        {
            throw new InvalidDataException($"{directory}: {index.DocumentCount} documents, {index.PostingCount} postings, {index.Layout}, {index.Precision} are not the {rows} documents of {prefix}.docs.csr as asked for; build it again with --only build");
        }

        double postings = Math.Max(1, index.PostingCount);
        Array.Sort(milliseconds);
        return new BenchIndex(directory, layout.ToString().ToLowerInvariant(), index.PostingCount, buildSeconds, milliseconds[OpeningCount / 2], index.SearchByteCount / postings, index.ByteCount / postings);
    }

    /// <summary>Times the algorithms for each k. Passes go through the algorithms in turn, so that all meet the same machine.</summary>
    public IEnumerable<SearchTiming> Run(BenchIndex built, IReadOnlyList<SearchAlgorithm> algorithms, IReadOnlyList<int> ks, int passes, int threads, SparseSearchOptions options)
    {
        using SparseIndex index = SparseIndex.Open(built.Directory);
        WarmUp(index, algorithms, ks, threads, options);
        foreach (int k in ks)
        {
            CheckEqual(index, algorithms, k, options);
            var best = new long[algorithms.Count][];
            var allocated = new long[algorithms.Count];
            var wall = new long[algorithms.Count];
            Array.Fill(wall, long.MaxValue);
            for (int pass = 0; pass < passes; pass++)
            {
                for (int a = 0; a < algorithms.Count; a++)
                {
                    best[a] ??= [.. Enumerable.Repeat(long.MaxValue, _queries.Length)];
                    SparseSearchOptions chosen = options with { Algorithm = algorithms[a] };
                    long started = Stopwatch.GetTimestamp();
                    allocated[a] = Pass(index, k, threads, chosen, best[a]);
                    wall[a] = Math.Min(wall[a], Stopwatch.GetTimestamp() - started);
                }
            }

            for (int a = 0; a < algorithms.Count; a++)
            {
                double[] times = [.. best[a].Select(nanoseconds => nanoseconds / 1e6).Order()];
                yield return new SearchTiming(
                    algorithms[a].Name, built.Layout, k, times.Average(), Percentile(times, 50), Percentile(times, 95), Percentile(times, 99),
                    built.PostingBytes, allocated[a] / _queries.Length, _queries.Length / Stopwatch.GetElapsedTime(0, wall[a]).TotalSeconds);
            }
        }
    }

    /// <summary>Every query once, thread t of n taking each n-th; returns the bytes that the searching threads allocated.</summary>
    private long Pass(SparseIndex index, int k, int threads, SparseSearchOptions options, long[] best)
    {
        long total = 0;
        void Work(int first)
        {
            var hits = new Hit[k];
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int q = first; q < _queries.Length; q += threads)
            {
                ReadOnlySpan<int> terms = _queries[q].Terms.Span;
                ReadOnlySpan<float> weights = _queries[q].Weights.Span;
                long started = clock();
                index.Search(terms, weights, hits, options);
                best[q] = Math.Min(best[q], clock() - started);
            }

            Interlocked.Add(ref total, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        if (threads == 1)
        {
            Work(0);
            return total;
        }

        Thread[] workers = [.. Enumerable.Range(0, threads).Select(t => new Thread(() => Work(t)))];
        Array.ForEach(workers, worker => worker.Start());
        Array.ForEach(workers, worker => worker.Join());
        return total;
    }

    /// <summary>Until the runtime has compiled what is hot for good: it does so beside the work, after a while of it.</summary>
    private void WarmUp(SparseIndex index, IReadOnlyList<SearchAlgorithm> algorithms, IReadOnlyList<int> ks, int threads, SparseSearchOptions options)
    {
        long[] ignored = [.. Enumerable.Repeat(long.MaxValue, _queries.Length)];
        for (int round = 0; round < 3; round++)
        {
            long started = Stopwatch.GetTimestamp();
            do
            {
                foreach (SearchAlgorithm algorithm in algorithms)
                {
                    foreach (int k in ks)
                    {
                        Pass(index, k, threads, options with { Algorithm = algorithm }, ignored);
                    }
                }
            }
            while (Stopwatch.GetElapsedTime(started).TotalSeconds < 0.5 && _queries.Length > 10);
            Thread.Sleep(200);
        }
    }

    private void CheckEqual(SparseIndex index, IReadOnlyList<SearchAlgorithm> algorithms, int k, SparseSearchOptions options)
    {
        for (int q = 0; q < _queries.Length; q++)
        {
            Hit[] expected = index.Search(_queries[q], k, options with { Algorithm = algorithms[0] });
            foreach (SearchAlgorithm algorithm in algorithms.Skip(1))
            {
                if (!expected.AsSpan().SequenceEqual(index.Search(_queries[q], k, options with { Algorithm = algorithm })))
                {
                    throw new InvalidOperationException($"query {q}, k {k}: {algorithm} and {algorithms[0]} return different hits; this is a defect of the program");
                }
            }
        }
    }

    private string IndexDirectory(PostingLayout layout) => Path.Combine(workDirectory, layout.ToString().ToLowerInvariant());

    private int[]? ReadOrder(long documentCount)
    {
        string path = prefix + ".bp.u32";
        if (!File.Exists(path))
        {
            return null;
        }

        byte[] bytes = File.ReadAllBytes(path);
        return bytes.Length == 4 * documentCount
            ? System.Runtime.InteropServices.MemoryMarshal.Cast<byte, int>(bytes).ToArray()
            : throw new InvalidDataException($"{path}: {bytes.Length} bytes where {documentCount} documents need {4 * documentCount}");
    }

    private static double Percentile(double[] sorted, int percent) => sorted[Math.Min(sorted.Length - 1, sorted.Length * percent / 100)];
}
