using System.CommandLine;
using Tern.Compute;

namespace Tern.Benchmarks.Products;

/// <summary>The command line of <c>products</c>.</summary>
internal static class ProductsVerb
{
    public static Command Create()
    {
        Option<string> shapes = new("--shapes") { Description = "few, selection or all", DefaultValueFactory = _ => "selection" };
        shapes.AcceptOnlyFromAmong("few", "selection", "all");
        Option<int[]> threads = new("--threads") { Description = "thread counts, a table each", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => [1, 2] };
        Option<string> path = new("--path") { Description = "SIMD path, or all", DefaultValueFactory = _ => SimdPaths.Current.Name };
        path.AcceptOnlyFromAmong([.. SimdPaths.Available.Select(p => p.Name), "all"]);
        Option<double> seconds = new("--seconds") { Description = "seconds for each library and shape", DefaultValueFactory = _ => 0.3 };
        Option<int> rounds = new("--rounds") { Description = "turns that they are measured in", DefaultValueFactory = _ => 5 };
        Option<string> statistic = new("--statistic") { Description = "median, or best: on a machine with neighbours the median measures them too", DefaultValueFactory = _ => "median" };
        statistic.AcceptOnlyFromAmong("median", "best");
        Option<string> precision = new("--precision") { Description = "f32, or bf16 by the native library: the other libraries stay at f32", DefaultValueFactory = _ => "f32" };
        precision.AcceptOnlyFromAmong("f32", "bf16");
        Option<string> use = new("--use") { Description = "only shapes that contain this, such as \"gradient\" or \"512 x 2048\"", DefaultValueFactory = _ => "" };
        Option<string?> openBlas = new("--openblas") { Description = "path of OpenBLAS's shared library, or none; default: where Debian's libopenblas0-pthread has it" };
        Option<string?> oneDnn = new("--onednn") { Description = "path of oneDNN's shared library, or none; default: libdnnl on the library path" };
        Option<string?> peak = new("--peak") { Description = "the library made of bench/peers/peak.c, for the peaks that .NET has no instruction for" };
        Command command = new("products", "matrix products beside the multiply-add peak and other libraries") { shapes, threads, path, precision, use, seconds, rounds, statistic, openBlas, oneDnn, peak };
        command.SetAction(parsed =>
        {
            foreach (SimdPath simd in SimdPaths.Available.Where(p => parsed.GetValue(path) == "all" || p.Name == parsed.GetValue(path)))
            {
                ProductTable.Write(Console.Out, new ProductTableOptions(
                    simd, parsed.GetValue(shapes)!, parsed.GetValue(threads)!, parsed.GetValue(seconds), parsed.GetValue(rounds), parsed.GetValue(statistic) == "best",
                    parsed.GetValue(openBlas), parsed.GetValue(oneDnn), parsed.GetValue(peak))
                {
                    Precision = ProductPrecisions.Parse(parsed.GetValue(precision)!),
                    Use = parsed.GetValue(use)!,
                });
            }
        });
        return command;
    }
}
