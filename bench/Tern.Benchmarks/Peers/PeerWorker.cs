using System.Diagnostics;
using System.Text.Json;
using Tern.Compute;

namespace Tern.Benchmarks.Peers;

/// <summary>
/// The verb <c>peers-worker</c>: Tern's side of the comparison. Answers requests, one JSON object a line, until its input
/// ends; between two requests it uses no processor, so that the peers can be measured then.
/// </summary>
internal sealed class PeerWorker(string directory) : IDisposable
{
    private readonly PeerWork _work = PeerWork.Load(directory);
    private readonly Dictionary<(string Task, string Set, int Threads, string Precision, bool Optimizer), IPeerTask> _tasks = [];

    /// <exception cref="NotSupportedException">This machine or build lacks the precision; says why.</exception>
    public static IBackend CreateBackend(PeerRequest request)
    {
        ProductPrecision precision = ProductPrecisions.Parse(request.Precision == "fp32" ? "f32" : request.Precision);
        return ProductPrecisions.WhyNot(precision) is { } reason
            ? throw new NotSupportedException($"not measured: {reason}")
            : Backends.Create("cpu", request.Threads, precision);
    }

    public void Run(TextReader input, TextWriter output)
    {
        Answer(output, new PeerReply { Name = $"Tern, .NET {Environment.Version}, path {SimdPaths.Current.Name}" });
        while (input.ReadLine() is { } line)
        {
            PeerRequest request = JsonSerializer.Deserialize(line, PeerJson.Default.PeerRequest)!;
            try
            {
                Answer(output, Measure(request));
            }
            catch (NotSupportedException e)
            {
                Answer(output, new PeerReply { Error = e.Message });
            }
        }
    }

    public void Dispose()
    {
        foreach (IPeerTask task in _tasks.Values)
        {
            task.Dispose();
        }
    }

    private PeerReply Measure(PeerRequest request)
    {
        var key = (request.Task, request.Set, request.Threads, request.Precision, request.Optimizer);
        if (!_tasks.TryGetValue(key, out IPeerTask? task))
        {
            task = request.Task switch
            {
                "train" => new BlocksTraining(directory, _work, request),
                "encode" => new BlocksEncoding(directory, _work, request),
                "sparse_step" => new SparseStep(directory, _work.SparseStep, request),
                "sparse_head" => new SparseHeadPass(directory, _work.SparseHead, request),
                _ => throw new NotSupportedException($"no task {request.Task}"),
            };
            _tasks.Add(key, task);
        }

        long before = ResidentMemory.ResetPeak();
        for (int i = 0; i < request.Warm; i++)
        {
            task.Run();
        }

        double[] seconds = new double[request.Repeat], processorSeconds = new double[request.Repeat];
        for (int i = 0; i < seconds.Length; i++)
        {
            TimeSpan processorStart = Environment.CpuUsage.TotalTime;
            long start = Stopwatch.GetTimestamp();
            task.Run();
            seconds[i] = Stopwatch.GetElapsedTime(start).TotalSeconds;
            processorSeconds[i] = (Environment.CpuUsage.TotalTime - processorStart).TotalSeconds;
        }

        PeerReply reply = task.Describe(new PeerReply { Seconds = seconds, ProcessorSeconds = processorSeconds, PeakBytes = ResidentMemory.Peak() - before });
        if (request.Output is { } path)
        {
            task.WriteOutput(path);
        }

        return reply;
    }

    private static void Answer(TextWriter output, PeerReply reply)
    {
        output.WriteLine(JsonSerializer.Serialize(reply, PeerJson.Default.PeerReply));
        output.Flush();
    }
}

/// <summary>Something that is timed as one call.</summary>
internal interface IPeerTask : IDisposable
{
    void Run();

    /// <summary>Writes the last call's results as little-endian floats, one array after the other.</summary>
    void WriteOutput(string path);

    PeerReply Describe(PeerReply reply) => reply;
}

/// <summary>The process's resident memory as Linux counts it.</summary>
internal static class ResidentMemory
{
    /// <summary>Starts a new count of the largest resident memory; returns the present one in bytes.</summary>
    public static long ResetPeak()
    {
        try
        {
            File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (IOException)
        {
            // Another system: the growth is then counted from the largest so far.
        }
        catch (UnauthorizedAccessException)
        {
            // Likewise.
        }

        return Field("VmRSS:");
    }

    public static long Peak() => Field("VmHWM:");

    private static long Field(string name) => File.Exists("/proc/self/status")
        ? long.Parse(File.ReadLines("/proc/self/status").First(l => l.StartsWith(name, StringComparison.Ordinal)).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture) * 1024
        : 0;
}
