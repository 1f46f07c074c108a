// ONNX Runtime's side of the comparison: answers requests on its input, one JSON object a line, as Tern's worker does.
// usage: OnnxWorker WORK_DIRECTORY THREADS
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.ML.OnnxRuntime;
using Peers.OnnxRuntime;

string work = args[0];
int threads = int.Parse(args[1]);
Answer(new JsonObject { ["name"] = $"ONNX Runtime {OrtEnv.Instance().GetVersionString()}, {threads} threads" });
Encoding? encoding = null;
string? present = null;
while (Console.In.ReadLine() is { } line)
{
    JsonNode request = JsonNode.Parse(line)!;
    try
    {
        string key = string.Join('|', ((string[])["set", "precision", "batch", "in_order", "attention"]).Select(name => request[name]?.ToJsonString()));
        if (key != present)
        {
            encoding?.Dispose();
            present = null; // Loading may fail.
            encoding = new Encoding(
                work,
                Documents.Read(Path.Combine(work, $"documents-{request["set"]}.i32")),
                $"{request["precision"]}-{request["attention"]}",
                (int)request["batch"]!,
                (bool)request["in_order"]!,
                threads);
            present = key;
        }

        for (int i = (int)request["warm"]!; i > 0; i--)
        {
            encoding!.Run();
        }

        JsonArray seconds = [], processorSeconds = [];
        for (int i = (int)request["repeat"]!; i > 0; i--)
        {
            TimeSpan processorStart = Environment.CpuUsage.TotalTime;
            long start = Stopwatch.GetTimestamp();
            encoding!.Run();
            seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            processorSeconds.Add((Environment.CpuUsage.TotalTime - processorStart).TotalSeconds);
        }

        if ((string?)request["output"] is { } path)
        {
            File.WriteAllBytes(path, MemoryMarshal.AsBytes(encoding!.Vectors.AsSpan()));
        }

        Answer(new JsonObject { ["seconds"] = seconds, ["processor_seconds"] = processorSeconds });
    }
    catch (Exception e) when (e is OnnxRuntimeException or IOException)
    {
        Answer(new JsonObject { ["error"] = e.Message });
    }
}

encoding?.Dispose();

static void Answer(JsonObject reply)
{
    Console.Out.WriteLine(reply.ToJsonString(JsonSerializerOptions.Default));
    Console.Out.Flush();
}
