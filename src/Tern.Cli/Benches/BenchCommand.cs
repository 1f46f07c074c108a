using System.CommandLine;
using System.Diagnostics;
using Tern.Cli.Benches.Kernels;
using Tern.Cli.Benches.Models;
using Tern.Retrieval;

namespace Tern.Cli.Benches;

/// <summary><c>tern bench</c>: how fast search and the operations of a model are on a user's own machine.</summary>
internal static class BenchCommand
{
    private const string Every = "all";

    private const string Both = "both";

    private const string OnlyBuild = "build";

    private const string OnlyTime = "time";

    public static Command Create(Terminal terminal) => new Verb("bench", "Times search over vectors of yours, updates of an index while it is searched, training, encoding, and the operations of a model on this machine.")
    {
        CreateSearch(terminal),
        UpdateBenchCommand.Create(terminal),
        KernelBenchCommand.Create(terminal),
        TrainBenchCommand.Create(terminal),
        EncodeBenchCommand.Create(terminal),
        DenseBenchCommand.Create(terminal),
    };

    private static Verb CreateSearch(Terminal terminal)
    {
        Option<string> data = Flags.RequiredText("--data", "Reads PREFIX.docs.csr, PREFIX.queries.csr (BigANN's CSR) and, where it is there, the order of the documents PREFIX.bp.u32.", "prefix");
        Option<string> k = new("--k") { Description = "Numbers of hits, with commas between.", HelpName = "n,n", DefaultValueFactory = _ => "10,100,1000" };
        Option<string> layout = Flags.Choice("--layout", "How ids are stored.", Every, [Every, .. Enum.GetNames<PostingLayout>().Select(n => n.ToLowerInvariant())]);
        Option<string> algorithm = Flags.Choice("--algorithm", "Which to time.", Every, [Every, .. SearchAlgorithms.All.Select(a => a.Name)]);
        Option<string> scoring = Flags.Choice("--scoring", "Scores from 8-bit impacts, or float32 scores.", "impacts", "impacts", "float32");
        Option<int> threads = Flags.Count("--threads", "Threads that search at once, each a query of its own; with one it is pinned to a processor.", 1);
        Option<int> passes = Flags.Count("--passes", "Passes over the queries; of each query the fastest counts.", 5, least: 3);
        Option<string> clock = Flags.Choice("--clock", "Wall time, or the searching thread's processor time (Linux).", "wall", "wall", "cpu");
        Option<string?> work = Flags.Text("--work", "Where to build the indexes; a temporary directory that is deleted unless given.", "dir");
        Option<string> only = Flags.Choice("--only", "Only build the indexes in --work, or only time those that an earlier run built there.", Both, Both, OnlyBuild, OnlyTime);
        Option<bool> json = Flags.Json("the figures");
        var command = new Verb("search", "Builds an index from vectors and times single queries: mean and percentiles, bytes a posting, allocated bytes.")
        {
            Notes = "Before timing, every query's hits are compared over the algorithms.",
            Examples =
            [
                "tern bench search --data vectors/msmarco --k 10,100,1000 --threads 1",
                "tern bench search --data vectors/msmarco --layout packed --algorithm auto --json",
                "tern bench search --data vectors/msmarco --work idx/bench --only build",
                "tern bench search --data vectors/msmarco --work idx/bench --only time",
            ],
        };
        foreach (Option option in new Option[] { data, k, layout, algorithm, scoring, threads, passes, clock, work, only, json })
        {
            command.Add(option);
        }

        command.SetAction((parsed, cancellationToken) =>
        {
            int[] ks = Flags.ParseCounts("--k", parsed.GetRequiredValue(k));
            int threadCount = parsed.GetValue(threads);
            string part = parsed.GetRequiredValue(only);
            if (part != Both && parsed.GetValue(work) is null)
            {
                throw new UsageException($"--only {part} needs --work, the directory of the indexes");
            }

            string directory = parsed.GetValue(work) ?? Directory.CreateTempSubdirectory("tern-bench-").FullName;
            try
            {
                var bench = new SearchBench(parsed.GetRequiredValue(data), directory, BenchClock.Named(parsed.GetRequiredValue(clock)));
                var timings = new List<SearchTiming>();
                var indexes = new List<BenchIndex>();
                bool isFloat = parsed.GetRequiredValue(scoring) == "float32";
                SearchAlgorithm[] algorithms = [.. SearchAlgorithms.All.Where(a => parsed.GetRequiredValue(algorithm) is var name && (name == Every || name == a.Name))];
                using var pin = threadCount == 1 ? new PinnedProcess() : null;
                foreach (PostingLayout choice in Enum.GetValues<PostingLayout>().Where(l => parsed.GetRequiredValue(layout) is var name && (name == Every || name.Equals(l.ToString(), StringComparison.OrdinalIgnoreCase))))
                {
                    ImpactPrecision precision = isFloat ? ImpactPrecision.Float32 : ImpactPrecision.Byte;
                    double seconds = 0;
                    if (part != OnlyTime)
                    {
                        using var progress = new ProgressLine(terminal, "documents");
                        seconds = bench.Build(choice, precision, progress.Report);
                    }

                    cancellationToken.ThrowIfCancellationRequested();
                    indexes.Add(bench.Open(choice, precision, seconds));
                    if (part == OnlyBuild)
                    {
                        continue;
                    }

                    timings.AddRange(bench.Run(indexes[^1], algorithms, ks, parsed.GetValue(passes), threadCount, default));
                }

                Print(terminal, bench, indexes, timings, isFloat ? ScoringMode.Float32 : ScoringMode.Impacts, parsed.GetValue(json));
            }
            finally
            {
                if (parsed.GetValue(work) is null)
                {
                    Directory.Delete(directory, recursive: true);
                }
            }

            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static void Print(Terminal terminal, SearchBench bench, List<BenchIndex> indexes, List<SearchTiming> timings, ScoringMode scoring, bool json)
    {
        if (json)
        {
            JsonOutput.Write(terminal.Out, writer =>
            {
                writer.WriteNumber("queries", bench.QueryCount);
                writer.WriteString("scoring", scoring.ToString().ToLowerInvariant());
                writer.WriteString("simd", SparseIndex.KernelName);
                writer.WriteArray("indexes", indexes, index =>
                {
                    writer.WriteStartObject();
                    writer.WriteString("layout", index.Layout);
                    writer.WriteNumber("postings", index.PostingCount);
                    writer.WriteNumber("build_seconds", Math.Round(index.BuildSeconds, 3));
                    writer.WriteNumber("open_ms", Math.Round(index.OpenMilliseconds, 2));
                    writer.WriteNumber("bytes_per_posting", Math.Round(index.PostingBytes, 3));
                    writer.WriteNumber("segment_bytes_per_posting", Math.Round(index.SegmentBytes, 3));
                    writer.WriteEndObject();
                });
                writer.WriteArray("results", timings, timing =>
                {
                    writer.WriteStartObject();
                    writer.WriteString("algorithm", timing.Algorithm);
                    writer.WriteString("layout", timing.Layout);
                    writer.WriteNumber("k", timing.K);
                    writer.WriteNumber("mean_ms", Math.Round(timing.Mean, 4));
                    writer.WriteNumber("p50_ms", Math.Round(timing.P50, 4));
                    writer.WriteNumber("p95_ms", Math.Round(timing.P95, 4));
                    writer.WriteNumber("p99_ms", Math.Round(timing.P99, 4));
                    writer.WriteNumber("bytes_per_posting", Math.Round(timing.BytesPerPosting, 3));
                    writer.WriteNumber("allocated_bytes_per_query", timing.AllocatedBytesPerQuery);
                    writer.WriteNumber("queries_per_second", Math.Round(timing.QueriesPerSecond, 1));
                    writer.WriteEndObject();
                });
            });
            return;
        }

        foreach (BenchIndex index in indexes)
        {
            terminal.Out.WriteLine(Invariant($"{index.Layout}: {index.PostingCount:N0} postings {(index.BuildSeconds > 0 ? Invariant($"written in {index.BuildSeconds:0.0} s, ") : "")}opened in {index.OpenMilliseconds:0.0} ms; {index.PostingBytes:0.00} bytes a posting to search, {index.SegmentBytes:0.00} with ids and documents' vectors"));
        }

        if (timings.Count == 0)
        {
            return;
        }

        terminal.Out.WriteLine(Invariant($"{bench.QueryCount} queries, scores of {scoring.ToString().ToLowerInvariant()}, {SparseIndex.KernelName}; milliseconds of each query's fastest pass"));
        var table = new ResultTable("algorithm", "layout", "k", "mean", "p50", "p95", "p99", "queries/s", "allocated");
        foreach (SearchTiming t in timings)
        {
            table.Add(t.Algorithm, t.Layout, Invariant($"{t.K}"), Invariant($"{t.Mean:0.000}"), Invariant($"{t.P50:0.000}"), Invariant($"{t.P95:0.000}"), Invariant($"{t.P99:0.000}"), Invariant($"{t.QueriesPerSecond:0}"), Invariant($"{t.AllocatedBytesPerQuery} B"));
        }

        table.Write(terminal, "table");
    }

    /// <summary>Keeps the process on one processor, the last that it may use, until it is disposed.</summary>
    private sealed class PinnedProcess : IDisposable
    {
        private readonly nint _before;

        public PinnedProcess()
        {
            if (OperatingSystem.IsLinux() || OperatingSystem.IsWindows())
            {
                using var process = Process.GetCurrentProcess();
                _before = process.ProcessorAffinity;
                process.ProcessorAffinity = (nint)(1L << (63 - System.Numerics.BitOperations.LeadingZeroCount((ulong)_before)));
            }
        }

        public void Dispose()
        {
            if (OperatingSystem.IsLinux() || OperatingSystem.IsWindows())
            {
                using var process = Process.GetCurrentProcess();
                process.ProcessorAffinity = _before;
            }
        }
    }
}
