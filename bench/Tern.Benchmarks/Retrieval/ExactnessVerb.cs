using System.CommandLine;
using System.Globalization;
using Tern.Retrieval;
using Tern.Retrieval.Kernels;

namespace Tern.Benchmarks.Retrieval;

/// <summary>
/// <c>exactness</c>: the hits of every algorithm, layout and SIMD path on whole sets against lists that a plain scan over the
/// documents' vectors makes. Exit code 1 where one differs.
/// </summary>
internal static class ExactnessVerb
{
    private static readonly int[] HitCounts = [10, 100, 1000];

    public static Command Create()
    {
        var data = new Option<string[]>("--data") { Description = "Prefixes of .docs.csr, .queries.csr and, where it is there, .bp.u32.", Required = true, AllowMultipleArgumentsPerToken = true };
        var command = new Command("exactness", "Compares full lists of (id, score), k = 10, 100, 1000, with those of a plain scan, ties at the end included; in float32 with a float32 scan.") { data };
        command.SetAction(parsed =>
        {
            Console.WriteLine(Machine.Description);
            Console.WriteLine();
            Console.WriteLine(Invariant($"Each query's list for k = {string.Join(", ", HitCounts)}: ids, order and the bits of the scores. *Ties at the end*: lists whose last score the next document has too."));
            Console.WriteLine();
            Console.WriteLine("| set | scores | layout | SIMD path | algorithm | lists | equal | ties at the end | overlap@1000 with float32 |");
            Console.WriteLine("| --- | --- | --- | --- | --- | ---: | ---: | ---: | ---: |");
            bool allEqual = true;
            foreach (string prefix in parsed.GetValue(data)!)
            {
                allEqual &= Write(prefix);
            }

            return allEqual ? 0 : 1;
        });
        return command;
    }

    private static bool Write(string prefix)
    {
        SparseVector[] queries = CsrIndex.Queries(prefix);
        var scan = PlainScan.Run(prefix + ".docs.csr", queries, HitCounts[^1]);
        double overlap = Enumerable.Range(0, queries.Length).Average(q => Overlap(scan.Impacts[q], scan.Float32[q]));
        bool allEqual = true;
        foreach (ImpactPrecision precision in Enum.GetValues<ImpactPrecision>())
        {
            List<(string Id, float Score)>[] expected = precision == ImpactPrecision.Byte ? scan.Impacts : scan.Float32;
            foreach (PostingLayout layout in Enum.GetValues<PostingLayout>())
            {
                DirectoryInfo directory = Directory.CreateTempSubdirectory("tern-exactness-");
                try
                {
                    CsrIndex.Build(prefix, directory.FullName, layout, precision);
                    using var index = SparseIndex.Open(directory.FullName);
                    foreach (SearchKernels kernels in SearchKernels.Available)
                    {
                        foreach (SearchAlgorithm algorithm in SearchAlgorithms.All)
                        {
                            var options = new SparseSearchOptions { Algorithm = algorithm, Kernels = kernels };
                            (int lists, int equal, int ties) = Compare(index, queries, expected, options);
                            allEqual &= lists == equal;
                            string last = precision == ImpactPrecision.Byte ? Invariant($"{overlap:0.0000}") : "–";
                            Console.WriteLine(Invariant($"| {Path.GetFileName(prefix)} | {(precision == ImpactPrecision.Byte ? "impacts" : "float32")} | {layout.ToString().ToLowerInvariant()} | {kernels.Name} | {algorithm.Name} | {lists} | {equal} | {ties} | {last} |"));
                        }
                    }
                }
                finally
                {
                    directory.Delete(recursive: true);
                }
            }
        }

        return allEqual;
    }

    private static (int Lists, int Equal, int Ties) Compare(SparseIndex index, SparseVector[] queries, List<(string Id, float Score)>[] expected, SparseSearchOptions options)
    {
        int lists = 0, equal = 0, ties = 0;
        object gate = new();
        Parallel.For(0, queries.Length, q =>
        {
            foreach (int k in HitCounts)
            {
                Hit[] hits = index.Search(queries[q], k, options);
                bool isEqual = expected[q].Take(k).SequenceEqual(hits.Select(hit => (index.ExternalId(hit.DocId), hit.Score)));
                lock (gate)
                {
                    lists++;
                    equal += isEqual ? 1 : 0;
                    ties += expected[q].Count > k && expected[q][k].Score == expected[q][k - 1].Score ? 1 : 0;
                }
            }
        });
        return (lists, equal, ties);
    }

    private static double Overlap(List<(string Id, float Score)> some, List<(string Id, float Score)> others)
    {
        HashSet<string> ids = [.. others.Take(HitCounts[^1]).Select(d => d.Id)];
        return ids.Count == 0 ? 1 : some.Take(HitCounts[^1]).Count(d => ids.Contains(d.Id)) / (double)ids.Count;
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
