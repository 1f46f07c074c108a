using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Tern.Retrieval;
using Tern.Retrieval.Exchange;

namespace Tern.Benchmarks.Retrieval;

/// <summary><c>bisection</c>: how long ordering a collection takes and what it does to the gaps.</summary>
internal static class BisectionVerb
{
    public static Command Create()
    {
        var data = new Option<string>("--data") { Description = "A CSR file of documents.", Required = true };
        var threads = new Option<int>("--threads") { Description = "Threads.", DefaultValueFactory = _ => 2 };
        var other = new Option<string?>("--order") { Description = "Another order to set beside it: a file of uint32, the document at each place." };
        var command = new Command("bisection", "Recursive graph bisection of a CSR file: time, and bits of gaps a posting before and after.") { data, threads, other };
        command.SetAction(parsed =>
        {
            string path = parsed.GetValue(data)!;
            CsrTerms documents = CsrTerms.Read(path);
            Console.WriteLine(Machine.Description);
            Console.WriteLine();
            Console.WriteLine("| order | seconds | processor seconds | log2 of gaps, bits a posting |");
            Console.WriteLine("|---|---:|---:|---:|");
            int[] given = [.. Enumerable.Range(0, documents.DocumentCount)];
            Print("as given", null, null, documents.GapBits(given));
            TimeSpan before = Process.GetCurrentProcess().TotalProcessorTime;
            long start = Stopwatch.GetTimestamp();
            int[] order = RecursiveGraphBisection.Order(documents, new BisectionOptions { ThreadCount = parsed.GetValue(threads) });
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            Print($"bisection, {parsed.GetValue(threads)} threads", seconds, (Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds, documents.GapBits(order));
            if (parsed.GetValue(other) is { } file)
            {
                Print(Path.GetFileName(file), null, null, documents.GapBits(MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(file)).ToArray()));
            }
        });
        return command;
    }

    private static void Print(string name, double? seconds, double? processor, double bits) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {seconds:0.0} | {processor:0.0} | {bits:0.000} |"));

    private sealed class CsrTerms(int[] terms, long[] starts, int vocabularySize) : IDocumentTerms
    {
        public int DocumentCount => starts.Length - 1;

        public int VocabularySize => vocabularySize;

        public static CsrTerms Read(string path)
        {
            (long rows, long columns, long count) = SparseCsr.ReadHeader(path);
            var starts = new long[rows + 1];
            using FileStream file = File.OpenRead(path);
            file.Position = 24;
            file.ReadExactly(MemoryMarshal.AsBytes(starts.AsSpan()));
            var terms = new int[count];
            file.ReadExactly(MemoryMarshal.AsBytes(terms.AsSpan()));
            return new CsrTerms(terms, starts, (int)columns);
        }

        public ReadOnlySpan<int> Terms(int document) => terms.AsSpan((int)starts[document], (int)(starts[document + 1] - starts[document]));

        public double GapBits(int[] order)
        {
            int[] last = [.. Enumerable.Repeat(-1, vocabularySize)];
            double bits = 0;
            for (int place = 0; place < order.Length; place++)
            {
                foreach (int term in Terms(order[place]))
                {
                    bits += Math.Log2(place - last[term]);
                    last[term] = place;
                }
            }

            return bits / starts[^1];
        }
    }
}
