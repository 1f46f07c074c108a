using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Tern.Retrieval;
using Tern.Retrieval.Exchange;

namespace Tern.Benchmarks.Retrieval;

/// <summary>
/// <c>index-build</c>: builds a segment from a CSR file, in memory or within a bound of it, and opens it again and again. One
/// table row a process, since the greatest resident size is the process's.
/// </summary>
internal static class IndexBuildVerb
{
    private const int Openings = 9;

    public static Command Create()
    {
        var data = new Option<string>("--data") { Description = "PREFIX of a set: PREFIX.docs.csr.", Required = true };
        var order = new Option<bool>("--order") { Description = "In the order of PREFIX.bp.u32." };
        var memory = new Option<int>("--memory") { Description = "Megabytes to stay within; 0 for no bound." };
        var directory = new Option<string>("--directory") { Description = "Where the index is built; removed at the end.", DefaultValueFactory = _ => Path.Combine(Path.GetTempPath(), "tern-build-bench") };
        var header = new Option<bool>("--header") { Description = "The machine and the head of the table first." };
        var command = new Command("index-build", "Building and opening a segment of a CSR file: time, bytes, memory.") { data, order, memory, directory, header };
        command.SetAction(parsed =>
        {
            string folder = parsed.GetValue(directory)!;
            try
            {
                if (parsed.GetValue(header))
                {
                    Console.WriteLine(Machine.Description);
                    Console.WriteLine();
                    Console.WriteLine("| set | order | postings | terms and weights, MiB | bound, MiB | greatest resident, MiB | data over bound | wall s | processor s, reading included | million postings a processor second | bytes a posting to search | with vectors and ids | segment, MB | opened, ms (first, median of 9) | first search, ms |");
                    Console.WriteLine("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
                }

                Console.WriteLine(Row(parsed.GetValue(data)!, parsed.GetValue(order), parsed.GetValue(memory), folder));
            }
            finally
            {
                if (Directory.Exists(folder))
                {
                    Directory.Delete(folder, recursive: true);
                }
            }
        });
        return command;
    }

    private static string Row(string prefix, bool isOrdered, int megabytes, string directory)
    {
        string documents = prefix + ".docs.csr";
        (_, long columns, long count) = SparseCsr.ReadHeader(documents);
        TimeSpan before = Environment.CpuUsage.TotalTime;
        long started = Stopwatch.GetTimestamp();
        using (var builder = new SparseIndexBuilder(directory, new SparseIndexOptions { VocabularySize = (int)columns, MemoryByteCount = (long)megabytes << 20 }))
        {
            foreach (SparseDocument row in SparseCsr.Read(documents))
            {
                builder.Add(row.Id, row.Vector);
            }

            if (isOrdered)
            {
                builder.Reorder(MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(prefix + ".bp.u32")));
            }

            builder.Complete();
        }

        double wall = Stopwatch.GetElapsedTime(started).TotalSeconds;
        double processor = (Environment.CpuUsage.TotalTime - before).TotalSeconds;
        double resident = ResidentMebibytes();
        SparseVector query = SparseCsr.Read(prefix + ".queries.csr").First().Vector;
        double[] opened = [.. Enumerable.Range(0, Openings + 1).Select(_ => Milliseconds(() => SparseIndex.Open(directory, verify: false).Dispose()))];
        using SparseIndex index = SparseIndex.Open(directory, verify: false);
        double search = Milliseconds(() => index.Search(query, 10));
        double bytes = 8.0 * count / (1 << 20);
        return string.Create(CultureInfo.InvariantCulture, $"| {Path.GetFileName(prefix)} | {(isOrdered ? "bisection" : "as given")} | {count:N0} | {bytes:0} | {(megabytes == 0 ? "–" : $"{megabytes}")} | {resident:0.0} | {(megabytes == 0 ? "–" : $"{bytes / megabytes:0.0}")} | {wall:0.0} | {processor:0.0} | {count / processor / 1e6:0.0} | {index.SearchByteCount / (double)count:0.000} | {index.ByteCount / (double)count:0.000} | {index.ByteCount / 1e6:0} | {opened[0]:0.0}, {Interleaved.Median([.. opened.Skip(1).Order()]):0.00} | {search:0.0} |");
    }

    private static double Milliseconds(Action action)
    {
        long started = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static double ResidentMebibytes()
    {
        const string Status = "/proc/self/status";
        string? line = File.Exists(Status) ? File.ReadLines(Status).FirstOrDefault(l => l.StartsWith("VmHWM:", StringComparison.Ordinal)) : null;
        return line is null ? Process.GetCurrentProcess().PeakWorkingSet64 / 1048576.0 : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024.0;
    }
}
