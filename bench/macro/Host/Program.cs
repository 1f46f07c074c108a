// A host as a stranger writes it, over Tern's packages: text query -> ten hits, measured. See host.sh.
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Host;
using Tern;
using Tern.Retrieval;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is ["--idle", var idleSeconds])
{
    // The same program with nothing of Tern's: what the runtime itself uses.
    Console.WriteLine($"Idle, nothing open: {IdleShare(double.Parse(idleSeconds)):F3} % of one processor over {idleSeconds} s.");
    return 0;
}

if (args.Length < 2)
{
    Console.Error.WriteLine("usage: Host INDEX QUERIES.jsonl [--cold] [--seconds N] [--threads N] [--delay-ms N] | Host --idle SECONDS");
    return 2;
}

double Option(string name, double otherwise) => Array.IndexOf(args, name) is var at and >= 0 ? double.Parse(args[at + 1]) : otherwise;

string index = args[0];
if (args.Contains("--cold"))
{
    // No list of queries is read: the time is that of a process with one question.
    using Retriever cold = Retriever.Open(index);
    double opened = SinceStart();
    IReadOnlyList<SearchResult> results = cold.Search("make a copy of part of an array", 10);
    Console.WriteLine($"{opened:F1} {SinceStart():F1} {results.Count}");
    return 0;
}

string[] queries = [.. File.ReadLines(args[1]).Take(2000).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("text").GetString()!)];
double seconds = Option("--seconds", 10);
var model = new ModelOptions { Threads = (int)Option("--threads", 0), MaxQueueDelay = TimeSpan.FromMilliseconds(Option("--delay-ms", new ModelOptions().MaxQueueDelay.TotalMilliseconds)) };
using Retriever retriever = Retriever.Open(index, new RetrieverOptions { Model = model });
using QueryPath path = QueryPath.Open(retriever, index);

Console.WriteLine($"Machine: {Machine.Describe()}  ");
Console.WriteLine($".NET {Environment.Version}, Tern {typeof(Retriever).Assembly.GetName().Version!.ToString(3)}, {RuntimeInformation.OSDescription}  ");
Console.WriteLine($"Index: {retriever.Description.Kind.ToString().ToLowerInvariant()}, {retriever.DocumentCount:N0} documents; model of {retriever.Model!.ParameterCount / 1e6:F1} M parameters; {queries.Length} queries, ten hits each; queue delay up to {model.MaxQueueDelay.TotalMilliseconds} ms  ");
Console.WriteLine();
Console.WriteLine("| callers | step | p50 ms | p99 ms | calls/s | bytes allocated a call |");
Console.WriteLine("|---|---|---|---|---|---|");
foreach (int callers in (int[])[1, 8])
{
    foreach (Step step in Enum.GetValues<Step>())
    {
        Measurement m = Load.Run(path, queries, step, callers, TimeSpan.FromSeconds(seconds));
        Console.WriteLine($"| {callers} | {Name(step)} | {m.Median:F3} | {m.Percentile99:F3} | {m.CallsPerSecond:F0} | {m.BytesPerCall:F1} |");
    }
}

double idle = Math.Max(10, seconds);
double share = IdleShare(idle);
using Process self = Process.GetCurrentProcess();
Console.WriteLine();
Console.WriteLine($"Idle, model and index open: {share:F3} % of one processor over {idle:F0} s; working set {self.WorkingSet64 / 1048576} MiB.");
return 0;

static double IdleShare(double seconds)
{
    Thread.Sleep(5000); // What the runtime still compiles after the load is not the idle library.
    TimeSpan before = Environment.CpuUsage.TotalTime; // Reading it costs microseconds; a Process's, milliseconds.
    var watch = Stopwatch.StartNew();
    Thread.Sleep(TimeSpan.FromSeconds(seconds));
    return 100 * (Environment.CpuUsage.TotalTime - before) / watch.Elapsed;
}

static double SinceStart()
{
    using Process process = Process.GetCurrentProcess();
    return (DateTime.Now - process.StartTime).TotalMilliseconds;
}

static string Name(Step step) => step switch
{
    Step.Encode => "encode",
    Step.Search => "search",
    _ => "text to hits",
};
