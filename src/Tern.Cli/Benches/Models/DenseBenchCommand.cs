using System.CommandLine;
using System.Diagnostics;
using Tern.Compute;
using Tern.Retrieval;

namespace Tern.Cli.Benches.Models;

/// <summary><c>tern bench dense</c>: batches of queries against random vectors, on the CPU or on a device that keeps them.</summary>
internal sealed class DenseBenchCommand
{
    private readonly Option<string> _device = Flags.Device();
    private readonly Option<int> _threads = Flags.Threads();
    private readonly Option<int> _documents = Flags.Count("--documents", "Vectors of the index.", 262_144);
    private readonly Option<int> _dimension = Flags.Count("--dimension", "Elements of a vector.", 1024);
    private readonly Option<int> _queries = Flags.Count("--queries", "Queries of a batch.", 256);
    private readonly Option<int> _k = Flags.Count("--k", "Hits of a query.", 1000);
    private readonly Option<int> _rounds = Flags.Count("--rounds", "Timed batches; the median counts.", 5);
    private readonly Option<int> _seed = Flags.Count("--seed", "Decides the vectors.", 1, least: 0);
    private readonly Option<string?> _work = Flags.Text("--work", "Where to build the index; a temporary directory that is deleted unless given.", "dir");
    private readonly Option<bool> _json = Flags.Json("the figures");

    public static Command Create(Terminal terminal)
    {
        var flags = new DenseBenchCommand();
        var command = new Verb("dense", "Builds an index of random vectors and times batches of queries: milliseconds, queries a second.")
        {
            Notes = "Hits are exact, and the same to the bit on every device; the first query's are compared with a single search's before anything is timed.",
            Examples =
            [
                "tern bench dense --device cuda:0 --json",
                "tern bench dense --device cpu --documents 20000 --dimension 128 --queries 32 --k 100",
            ],
        };
        foreach (Option option in new Option[] { flags._device, flags._threads, flags._documents, flags._dimension, flags._queries, flags._k, flags._rounds, flags._seed, flags._work, flags._json })
        {
            command.Add(option);
        }

        command.SetAction((parsed, cancellationToken) =>
        {
            string? work = parsed.GetValue(flags._work);
            string directory = work ?? Directory.CreateTempSubdirectory("tern-bench-").FullName;
            try
            {
                flags.Run(parsed, terminal, directory, cancellationToken);
            }
            finally
            {
                if (work is null)
                {
                    Directory.Delete(directory, recursive: true);
                }
            }

            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private void Run(ParseResult parsed, Terminal terminal, string directory, CancellationToken cancellationToken)
    {
        int documents = parsed.GetValue(_documents), dimension = parsed.GetValue(_dimension), k = parsed.GetValue(_k), threads = parsed.GetValue(_threads);
        BackendFactory factory = Flags.ReadDevice(parsed, _device);
        using IBackend backend = factory.Create(threads, ProductPrecision.Float32);
        var random = new Random(parsed.GetValue(_seed));
        Build(directory, documents, dimension, random, cancellationToken);
        using DenseIndex index = DenseIndex.Open(directory, verify: false);
        float[][] queries = [.. Enumerable.Range(0, parsed.GetValue(_queries)).Select(_ => Vector(random, dimension))];
        long started = Stopwatch.GetTimestamp();
        Hit[][] first = index.SearchBatch(queries, k, threads, device: backend);
        double warmUp = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        if (!first[0].AsSpan().SequenceEqual(index.Search(queries[0], k)))
        {
            throw new InvalidDataException($"the batch on {ModelBenchFlags.DeviceName(backend)} does not find what a single search finds");
        }

        List<double> times = [];
        for (int round = 0; round < parsed.GetValue(_rounds); round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            started = Stopwatch.GetTimestamp();
            index.SearchBatch(queries, k, threads, device: backend);
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        times.Sort();
        double median = times[times.Count / 2];
        if (!parsed.GetValue(_json))
        {
            terminal.Out.WriteLine(Invariant($"{ModelBenchFlags.DeviceName(backend)}: {queries.Length} queries over {documents} vectors of {dimension}, k {k}: {median:0.00} ms (least {times[0]:0.00}), {queries.Length / median * 1000:0} queries/s; {warmUp:0} ms with sending the vectors"));
            return;
        }

        JsonOutput.Write(terminal.Out, writer =>
        {
            writer.WriteString("phase", "dense");
            writer.WriteString("side", "tern");
            writer.WriteString("device", ModelBenchFlags.DeviceName(backend));
            writer.WriteNumber("documents", documents);
            writer.WriteNumber("dimension", dimension);
            writer.WriteNumber("queries", queries.Length);
            writer.WriteNumber("k", k);
            writer.WriteNumber("ms", Math.Round(median, 4));
            writer.WriteNumber("least_ms", Math.Round(times[0], 4));
            writer.WriteNumber("queries_per_s", Math.Round(queries.Length / median * 1000, 1));
            writer.WriteNumber("first_ms", Math.Round(warmUp, 2));
        });
    }

    private static void Build(string directory, int documents, int dimension, Random random, CancellationToken cancellationToken)
    {
        using var builder = new DenseIndexBuilder(directory, dimension);
        for (int i = 0; i < documents; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            builder.Add(Invariant($"d{i}"), Vector(random, dimension));
        }

        builder.Complete();
    }

    private static float[] Vector(Random random, int dimension)
    {
        var vector = new float[dimension];
        for (int i = 0; i < dimension; i++)
        {
            vector[i] = (random.NextSingle() * 2) - 1;
        }

        return vector;
    }
}
