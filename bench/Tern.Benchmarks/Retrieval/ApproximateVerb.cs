using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Tern.Retrieval;

namespace Tern.Benchmarks.Retrieval;

/// <summary>
/// <c>approximate</c>: recall and time of calibrated searches beside exact ones. Of a set's queries the odd ones judge; the even
/// ones calibrate where queries do, else the index's own documents.
/// </summary>
internal static class ApproximateVerb
{
    private static readonly double[] Qualities = [0.9, 0.95, 0.98, 0.99];

    public static Command Create()
    {
        var data = new Option<string[]>("--data") { Description = "Prefixes of .docs.csr, .queries.csr and, where it is there, .bp.u32.", Required = true, AllowMultipleArgumentsPerToken = true };
        var k = new Option<int[]>("--k") { Description = "Numbers of hits.", DefaultValueFactory = _ => [10, 100], AllowMultipleArgumentsPerToken = true };
        var passes = new Option<int>("--passes") { Description = "Of each query the fastest pass counts.", DefaultValueFactory = _ => 5 };
        var command = new Command("approximate", "Calibrated approximate search: recall on queries that did not calibrate it, and time beside exact search, one thread.") { data, k, passes };
        command.SetAction(parsed =>
        {
            Console.WriteLine(Machine.Description);
            foreach (string prefix in parsed.GetValue(data)!)
            {
                DirectoryInfo directory = Directory.CreateTempSubdirectory("tern-approximate-");
                try
                {
                    Write(prefix, directory.FullName, parsed.GetValue(k)!, parsed.GetValue(passes));
                }
                finally
                {
                    directory.Delete(recursive: true);
                }
            }
        });
        return command;
    }

    private static void Write(string prefix, string directory, int[] ks, int passes)
    {
        CsrIndex.Build(prefix, directory, PostingLayout.Packed, ImpactPrecision.Byte);
        SparseVector[] queries = CsrIndex.Queries(prefix);
        SparseVector[] calibrating = [.. queries.Where((_, i) => i % 2 == 0)];
        SparseVector[] judging = [.. queries.Where((_, i) => i % 2 == 1)];
        using var index = SegmentedIndex.Open(directory);
        Console.WriteLine();
        Console.WriteLine(Invariant($"## {Path.GetFileName(prefix)}: {index.DocumentCount:N0} documents, {judging.Length} queries judge"));
        Console.WriteLine();
        Console.WriteLine("| calibrated with | k | quality | recall calibrated | its 95 % bound | recall of the judging queries | exact ms | approximate ms | times exact | threshold, leaves, dropped |");
        Console.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |");
        var options = new CalibrationOptions { HitCounts = ks };
        var begun = Stopwatch.StartNew();
        SearchCalibration ofDocuments = CalibrationRun.OnDocuments(index, options);
        double seconds = begun.Elapsed.TotalSeconds;
        foreach ((string name, SearchCalibration calibration) in new[] { (Invariant($"{ofDocuments.QueryCount} documents"), ofDocuments), (Invariant($"{calibrating.Length} queries"), CalibrationRun.OnQueries(index, calibrating, options)) })
        {
            foreach (int k in ks)
            {
                CalibratedSearch[] searches = Array.ConvertAll(Qualities, quality => calibration.Choose(quality, k));
                double[] times = Time(index, judging, k, passes, [default, .. searches.Select(s => new SparseSearchOptions { Approximation = s.Approximation })]);
                for (int i = 0; i < searches.Length; i++)
                {
                    SearchApproximation? a = searches[i].Approximation;
                    string values = a is null ? "exact" : Invariant($"{a.ThresholdFactor}, {a.LeafBudget}, {a.DroppedShare}");
                    Console.WriteLine(Invariant($"| {name} | {k} | {Qualities[i]} | {searches[i].Recall:0.0000} | {searches[i].LeastRecall:0.0000} | {Recall(index, judging, k, a):0.0000} | {times[0]:0.000} | {times[i + 1]:0.000} | {times[i + 1] / times[0]:0.00} | {values} |"));
                }
            }
        }

        Console.WriteLine();
        Console.WriteLine(Invariant($"Calibrating with documents took {seconds:0.0} s on {Environment.ProcessorCount} processors."));
    }

    private static double Recall(SegmentedIndex index, SparseVector[] queries, int k, SearchApproximation? approximation) => queries.Average(query =>
    {
        HashSet<int> exact = [.. index.Search(query, k).Select(hit => hit.DocId)];
        int same = index.Search(query, k, new SparseSearchOptions { Approximation = approximation }).Count(hit => exact.Contains(hit.DocId));
        return exact.Count == 0 ? 1 : (double)same / exact.Count;
    });

    /// <summary>Mean milliseconds of each query's fastest pass, for each way to search; the ways take turns in every pass.</summary>
    private static double[] Time(SegmentedIndex index, SparseVector[] queries, int k, int passes, SparseSearchOptions[] ways)
    {
        var hits = new Hit[k];
        double[][] best = Array.ConvertAll(ways, _ => Enumerable.Repeat(double.MaxValue, queries.Length).ToArray());
        void Pass(int way)
        {
            for (int q = 0; q < queries.Length; q++)
            {
                double started = ThreadClock.Seconds;
                index.Search(queries[q].Terms.Span, queries[q].Weights.Span, hits, ways[way]);
                best[way][q] = Math.Min(best[way][q], ThreadClock.Seconds - started);
            }
        }

        // Until the runtime has compiled what is hot for good.
        for (long started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started).TotalSeconds < 2;)
        {
            Pass(0);
            Pass(ways.Length - 1);
        }

        foreach (double[] times in best)
        {
            Array.Fill(times, double.MaxValue);
        }

        for (int pass = 0; pass < passes; pass++)
        {
            for (int way = 0; way < ways.Length; way++)
            {
                Pass(way);
            }
        }

        return Array.ConvertAll(best, times => times.Average() * 1e3);
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
