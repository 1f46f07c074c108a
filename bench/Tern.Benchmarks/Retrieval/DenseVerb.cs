using System.CommandLine;

namespace Tern.Benchmarks.Retrieval;

/// <summary><c>dense</c>: the dense index beside Faiss, OpenBLAS and the memory's bandwidth.</summary>
internal static class DenseVerb
{
    public static Command Create()
    {
        var rows = new Option<int>("--rows") { Description = "Vectors in the index.", DefaultValueFactory = _ => 500_000 };
        var dimension = new Option<int>("--dimension") { Description = "Elements of a vector.", DefaultValueFactory = _ => 256 };
        var k = new Option<int>("--k") { Description = "Hits of a query.", DefaultValueFactory = _ => 10 };
        var threads = new Option<int>("--threads") { Description = "Threads of a batch; single queries take one.", DefaultValueFactory = _ => 1 };
        var seconds = new Option<int>("--seconds") { Description = "Time for each row of the table.", DefaultValueFactory = _ => 10 };
        var faiss = new Option<string?>("--faiss") { Description = "The library that bench/peers/dense.sh builds around Faiss." };
        var version = new Option<string>("--faiss-version") { Description = "What to call it.", DefaultValueFactory = _ => "?" };
        var openBlas = new Option<string>("--openblas") { Description = "OpenBLAS, or none.", DefaultValueFactory = _ => "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0" };
        var directory = new Option<string>("--directory") { Description = "Where the indexes are built; removed at the end.", DefaultValueFactory = _ => Path.Combine(Path.GetTempPath(), "tern-dense-bench") };
        var command = new Command("dense", "The dense index: single queries beside the memory's read bandwidth and Faiss, batches of 64 beside OpenBLAS's product.");
        foreach (Option option in new Option[] { rows, dimension, k, threads, seconds, faiss, version, openBlas, directory })
        {
            command.Add(option);
        }

        command.SetAction(parsed =>
        {
            string folder = parsed.GetValue(directory)!;
            try
            {
                using var table = new DenseTable(parsed.GetValue(rows), parsed.GetValue(dimension), parsed.GetValue(k), parsed.GetValue(threads), folder);
                table.Write(Console.Out, parsed.GetValue(faiss), parsed.GetValue(version)!, parsed.GetValue(openBlas)!, TimeSpan.FromSeconds(parsed.GetValue(seconds)));
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        });
        return command;
    }
}
