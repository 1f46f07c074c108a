using System.Text.Json;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests;

/// <summary>From a causal model to a retriever by adapters, and the verbs that show, convert and compare what is in between.</summary>
public sealed class AdapterCommandsTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void MntpThenAdapterThenMergedRetriever()
    {
        string data = SmallCollection.Write(_directory["data"]), corpus = Path.Combine(data, "corpus.jsonl");
        Succeed("model", "random", "--like", "tiny", "--dtype", "bf16", _directory["base"]);
        CliResult mntp = Succeed("mntp", "--model", _directory["base"], "--data", corpus, "--max_seq_length", "16", "--batch", "4", "--steps", "4", "--evaluate-steps", "2", "--logging_steps", "2", "--lora_r", "2", "--output_dir", _directory["mntp"]);
        Assert.Contains("held out: perplexity ", mntp.Lines[0], StringComparison.Ordinal);
        Assert.True(File.Exists(_directory["mntp/adapter_model.safetensors"]));
        Assert.True(File.Exists(_directory["mntp/tokenizer.json"]));
        Assert.False(File.Exists(_directory["mntp/model.safetensors"]));

        // The names of the body alone, and back.
        Succeed("model", "convert", _directory["mntp"], "--adapter-layout", "bimodel", "--adapter-format", "bin", _directory["bimodel"]);
        Assert.True(File.Exists(_directory["bimodel/adapter_model.bin"]));
        CliResult same = Cli.Run("model", "diff", _directory["mntp"], _directory["bimodel"]);
        Assert.Equal(1, same.ExitCode);
        Assert.Contains("adapter_config.json: auto_mapping", same.Output, StringComparison.Ordinal);
        Assert.Contains("28 tensors are equal, 0 differ", same.Output, StringComparison.Ordinal);
        Succeed("model", "convert", _directory["bimodel"], "--adapter-layout", "mntp", _directory["back"]);
        Assert.Equal(0, Cli.Run("model", "diff", _directory["mntp"], _directory["back"]).ExitCode);

        // Another adapter on top, and the same one trained on.
        Succeed("train", "--data", data, "--model", _directory["mntp"], "--type", "sparse", "--steps", "3", "--batch", "8", "--lora-rank", "3", "--lora-dropout", "0.1", "--lora-targets", "q,v", "--output", _directory["stacked"]);
        Succeed("train", "--data", data, "--model", _directory["mntp"], "--type", "dense", "--steps", "3", "--batch", "8", "--output", _directory["continued"]);
        Assert.Contains("\"r\": 3", File.ReadAllText(_directory["stacked/adapter_config.json"]), StringComparison.Ordinal);
        Assert.Contains("\"r\": 2", File.ReadAllText(_directory["continued/adapter_config.json"]), StringComparison.Ordinal);
        Assert.Contains("4 golden texts agree", Succeed("model", "selftest", _directory["stacked"]).Output, StringComparison.Ordinal);
        Succeed("model", "merge", "--adapter", _directory["stacked"], "--dtype", "f32", _directory["merged"]);
        Assert.Equal(Vectors("stacked").Count, Vectors("merged").Count);
        foreach ((double live, double merged) in Vectors("stacked").Zip(Vectors("merged")))
        {
            Assert.Equal(live, merged, 1e-3);
        }

        Assert.Contains("rank 3, alpha 6 on 4 projections of ", Succeed("model", "info", _directory["stacked"], "--json").Output, StringComparison.Ordinal);
        CliResult doctor = Cli.Run("doctor", _directory["stacked"]);
        Assert.Contains("adapter of rank 3", doctor.Output, StringComparison.Ordinal);
        Assert.Contains(doctor.Lines, l => l.StartsWith("to encode: ", StringComparison.Ordinal));
        Assert.Equal(2, doctor.Lines.Count(l => l.StartsWith("to train ", StringComparison.Ordinal) && l.Contains(": memory plan: ", StringComparison.Ordinal) && l.EndsWith(" a step at least", StringComparison.Ordinal)));
        string card = Succeed("model", "card", _directory["stacked"], "--dataset", "ms_marco", "--metric", "dev RR@10=0.41").Output;
        Assert.StartsWith("---\nlibrary_name: peft\n", card, StringComparison.Ordinal);
        Assert.Contains("| dev RR@10 | 0.41 |", card, StringComparison.Ordinal);
        Assert.Equal(1, Cli.Run("model", "check-lion", _directory["stacked"]).ExitCode);
        Assert.Contains("hidden size 2048, here 64", Cli.Run("model", "check-lion", _directory["stacked"]).Output, StringComparison.Ordinal);

        List<double> Vectors(string model)
        {
            Succeed("encode", "--model", _directory[model], "--side", "document", "--input", corpus, "--output", _directory[model + ".jsonl"]);
            List<double> weights = [];
            foreach (string line in File.ReadLines(_directory[model + ".jsonl"]).Take(5))
            {
                Collect(JsonDocument.Parse(line).RootElement, weights);
            }

            return weights;
        }
    }

    [Fact]
    public void AnInterruptedMntpRunResumesWithEqualLosses()
    {
        string corpus = Path.Combine(SmallCollection.Write(_directory["data"]), "corpus.jsonl");
        Succeed("model", "random", "--like", "tiny", "--dtype", "f32", _directory["base"]);
        string[] Arguments(string output) => ["mntp", "--model", _directory["base"], "--data", corpus, "--block-length", "16", "--batch", "4", "--steps", "6", "--lora-rank", "2", "--json", "--threads", "1", "--save-steps", "3", "--output", _directory[output]];
        CliResult whole = Succeed(Arguments("whole"));
        using var cancel = new CancellationTokenSource();
        using var writer = new CancellingWriter(4, cancel);
        CliResult stopped = Cli.Run(writer, cancel.Token, Arguments("stopped"));
        Assert.Equal(130, stopped.ExitCode);
        CliResult resumed = Succeed("mntp", "--output", _directory["stopped"], "--resume");
        Assert.Equal(Losses(whole.Lines), Losses([.. stopped.Lines, .. resumed.Lines]));

        static double[] Losses(IReadOnlyList<string> lines) => [.. lines.Select(l => JsonDocument.Parse(l).RootElement.GetProperty("loss").GetDouble())];
    }

    [Fact]
    public void WhatDoesNotGoTogetherIsSaid()
    {
        string data = SmallCollection.Write(_directory["data"]);
        Succeed("model", "random", "--like", "tiny", _directory["base"]);
        Check(2, "--lora-rank goes with --model", "train", "--data", data, "--new", "--type", "sparse", "--steps", "1", "--lora-rank", "2", "--output", _directory["x"]);
        Check(2, "goes with --lora-rank", "train", "--data", data, "--model", _directory["base"], "--steps", "1", "--lora-alpha", "2", "--output", _directory["x"]);
        Check(2, "'z_proj' is no projection", "train", "--data", data, "--model", _directory["base"], "--steps", "1", "--lora-rank", "2", "--lora-targets", "z", "--output", _directory["x"]);
        Check(2, "give --lora-rank 16", "train", "--data", data, "--model", _directory["base"], "--steps", "1", "--lora", "--output", _directory["x"]);
        Check(2, "--mask-token", "mntp", "--data", Path.Combine(data, "corpus.jsonl"), "--model", _directory["base"], "--mask-token", "nothing", "--output", _directory["x"]);
        Check(3, "not enough text", "mntp", "--data", Path.Combine(data, "corpus.jsonl"), "--model", _directory["base"], "--block-length", "100000", "--output", _directory["x"]);
        Check(2, "is no adapter", "model", "convert", _directory["base"], "--adapter-format", "bin", _directory["x"]);
        Assert.False(Directory.Exists(_directory["x"]));

        static void Check(int code, string expected, params string[] arguments)
        {
            CliResult result = Cli.Run(arguments);
            Assert.Contains(expected, result.Error, StringComparison.Ordinal);
            Assert.Equal(code, result.ExitCode);
            Assert.Single(result.ErrorLines);
        }
    }

    private static void Collect(JsonElement element, List<double> numbers)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Number when element.GetDouble() != Math.Floor(element.GetDouble()):
                numbers.Add(element.GetDouble());
                break;
            case JsonValueKind.Array:
                foreach (JsonElement item in element.EnumerateArray())
                {
                    Collect(item, numbers);
                }

                break;
            case JsonValueKind.Object:
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    Collect(property.Value, numbers);
                }

                break;
            default:
                break;
        }
    }

    private static CliResult Succeed(params string[] arguments)
    {
        CliResult result = Cli.Run(arguments);
        Assert.True(result.ExitCode == 0, $"tern {string.Join(' ', arguments)}: {result.ExitCode}\n{result.Error}\n{result.Output}");
        return result;
    }
}
