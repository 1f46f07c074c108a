using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Tern.Model;
using Tern.Model.Checkpoints;

namespace Tern.Cli;

/// <summary><c>tern model diff</c>: in what two model directories differ.</summary>
internal static class ModelDiffCommand
{
    private const int ShownTensors = 30;

    private static readonly string[] Files = [LlamaConfig.FileName, RetrieverContract.FileName, AdapterConfig.FileName, "tokenizer.json"];

    public static Command Create(Terminal terminal)
    {
        Argument<string> left = new("left") { Description = "A model's or an adapter's directory." };
        Argument<string> right = new("right") { Description = "Another." };
        Option<bool> json = Flags.Json("every difference");
        var command = new Verb("diff", "Compares two models or two adapters: keys of their configs, contract, tokenizer, and every tensor.")
        {
            Notes = "The exit code is 0 when nothing differs and 1 otherwise. Values are compared as float32, so types and names of files may differ.",
            Examples = ["tern model diff models/sparse models/sparse-bf16", "tern model diff models/mntp models/mntp-later --json"],
        };
        command.Add(left);
        command.Add(right);
        command.Add(json);
        command.SetAction((parsed, _) => Task.FromResult(Run(terminal, parsed.GetRequiredValue(left), parsed.GetRequiredValue(right), parsed.GetValue(json))));
        return command;
    }

    private static int Run(Terminal terminal, string left, string right, bool json)
    {
        (IReadOnlyList<TensorDifference> tensors, int equal) = CheckpointComparison.Compare(left, right);
        string[] keys = [.. Files.SelectMany(file => CompareFile(file, left, right))];
        if (json)
        {
            JsonOutput.Write(terminal.Out, writer =>
            {
                writer.WriteNumber("equal_tensors", equal);
                writer.WriteStartArray("files");
                foreach (string key in keys)
                {
                    writer.WriteStringValue(key);
                }

                writer.WriteEndArray();
                writer.WriteStartArray("tensors");
                foreach (TensorDifference tensor in tensors)
                {
                    writer.WriteStartObject();
                    writer.WriteString("name", tensor.Name);
                    writer.WriteString("difference", tensor.What);
                    if (tensor.RelativeDifference is { } relative && double.IsFinite(relative))
                    {
                        writer.WriteNumber("relative", relative);
                    }

                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
            });
        }
        else
        {
            foreach (string key in keys)
            {
                terminal.Out.WriteLine(key);
            }

            foreach (TensorDifference tensor in tensors.OrderByDescending(t => t.RelativeDifference ?? double.PositiveInfinity).Take(ShownTensors))
            {
                terminal.Out.WriteLine(tensor.RelativeDifference is { } relative ? Invariant($"{tensor.Name}: {tensor.What}; {relative:g3} of its norm") : $"{tensor.Name}: {tensor.What}");
            }

            string more = tensors.Count > ShownTensors ? Invariant($" (the {ShownTensors} that differ most are shown)") : "";
            terminal.Out.WriteLine(Invariant($"{equal} tensors are equal, {tensors.Count} differ{more}"));
        }

        return keys.Length + tensors.Count == 0 ? ExitCode.Ok : ExitCode.Failure;
    }

    /// <summary>Keys at the top of a JSON file whose values differ; of the tokenizer only whether it does.</summary>
    private static IEnumerable<string> CompareFile(string file, string left, string right)
    {
        string a = Path.Combine(left, file), b = Path.Combine(right, file);
        if (!File.Exists(a) || !File.Exists(b))
        {
            return File.Exists(a) == File.Exists(b) ? [] : [$"{file}: only in {(File.Exists(a) ? left : right)}"];
        }

        if (file == "tokenizer.json")
        {
            return File.ReadAllBytes(a).AsSpan().SequenceEqual(File.ReadAllBytes(b)) ? [] : [$"{file}: not the same bytes"];
        }

        JsonObject first = Parse(a), second = Parse(b);
        return first.Select(p => p.Key).Union(second.Select(p => p.Key))
            .Where(key => !JsonNode.DeepEquals(first[key], second[key]))
            .Select(key => $"{file}: {key}: {Short(first[key])} and {Short(second[key])}");
    }

    private static JsonObject Parse(string path)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllBytes(path)) as JsonObject ?? throw new InvalidDataException($"{path}: not a JSON object");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}:{e.LineNumber + 1}: not JSON: {e.Message}", e);
        }
    }

    private static string Short(JsonNode? value)
    {
        const int Length = 60;
        string text = value?.ToJsonString() ?? "absent";
        return text.Length <= Length ? text : text[..Length] + "…";
    }
}
