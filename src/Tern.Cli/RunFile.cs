using System.CommandLine;
using Tern.Compute;
using Tern.Model;
using Tern.Training.Planning;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Tern.Cli;

/// <summary>A run as a file of flags, in YAML or JSON, and the presets: both stand in for flags that were not given.</summary>
internal static class RunFile
{
    /// <summary>The command line with what its --config and --preset say, in this order, where it says nothing itself.</summary>
    public static ParseResult Expand(Command command, TrainFlags flags, ParseResult parsed)
    {
        if (parsed.GetValue(flags.Config) is { } path)
        {
            parsed = Add(command, flags, parsed, FlagNames.Normalize(Read(path), command), path);
        }

        return parsed.GetValue(flags.Preset) is { } name ? Add(command, flags, parsed, Arguments(PaperPreset.All[name], parsed.GetValue(flags.Minutes) is not null), $"--preset {name}") : parsed;
    }

    /// <summary>A mapping's keys as flags: true for a flag alone, false for none, lists with commas.</summary>
    /// <exception cref="InvalidDataException">No YAML or JSON, or no mapping of plain values.</exception>
    public static string[] Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: no such file", path);
        }

        try
        {
            var mapping = new DeserializerBuilder().Build().Deserialize<Dictionary<string, object?>>(File.ReadAllText(path)) ?? throw new InvalidDataException($"{path}: empty; one key a flag, such as steps: 1000");
            return [.. mapping.Where(p => p.Key != "verb").SelectMany(p => Flag(path, p.Key, p.Value))];
        }
        catch (YamlException e)
        {
            throw new InvalidDataException($"{path}:{e.Start.Line}: not a mapping of flags: {e.Message}", e);
        }
    }

    /// <summary>A preset's values as flags.</summary>
    public static string[] Arguments(PaperPreset preset, bool hasTime)
    {
        Training.TrainingOptions options = preset.Options;
        LoraSettings lora = PaperPreset.Lora;
        List<string> arguments =
        [
            "--type", preset.Kind.ToString().ToLowerInvariant(),
            "--loss", preset.ObjectiveName switch { "cl" => "infonce", "kd" => "margin-mse", _ => "infonce+kl" },
            "--batch", Invariant($"{options.BatchSize}"),
            "--accumulation", Invariant($"{options.AccumulationCount}"),
            "--negatives", Invariant($"{options.NegativeCount}"),
            "--learning-rate", Invariant($"{options.LearningRate:R}"),
            "--warmup-ratio", Invariant($"{options.WarmupRatio:R}"),
            "--temperature", Invariant($"{options.Temperature:R}"),
            "--query-flops", Invariant($"{options.QueryFlopsWeight:R}"),
            "--document-flops", Invariant($"{options.DocumentFlopsWeight:R}"),
            "--flops-ramp-steps", Invariant($"{options.FlopsRampSteps}"),
            "--query-length", Invariant($"{PaperPreset.QueryLength}"),
            "--document-length", Invariant($"{PaperPreset.DocumentLength}"),
            "--lora-rank", Invariant($"{lora.Rank}"),
            "--lora-alpha", Invariant($"{lora.Alpha:R}"),
            "--lora-dropout", Invariant($"{lora.Dropout:R}"),
            "--activation-checkpointing",
            "--seed", Invariant($"{options.Seed}"),
        ];
        if (ProductPrecisions.WhyNot(ProductPrecision.BFloat16) is null)
        {
            arguments.AddRange(["--precision", "bf16"]);
        }

        if (!hasTime)
        {
            arguments.AddRange(["--steps", Invariant($"{options.StepCount}")]);
        }

        return [.. arguments];
    }

    private static ParseResult Add(Command command, TrainFlags flags, ParseResult parsed, string[] added, string source)
    {
        // Options that stand on the command line already are taken out of what is added.
        List<string> kept = [];
        bool skips = false;
        HashSet<string> given = [.. parsed.CommandResult.Children.OfType<System.CommandLine.Parsing.OptionResult>().Where(o => !o.Implicit).Select(o => o.Option.Name)];
        foreach (string argument in added)
        {
            skips = argument.StartsWith("--", StringComparison.Ordinal) ? given.Contains(argument.Split('=')[0]) : skips;
            if (!skips)
            {
                kept.Add(argument);
            }
        }

        ParseResult result = command.Parse([.. TrainRun.ArgumentsOf(flags, parsed), .. parsed.GetValue(flags.Resume) ? ["--resume"] : Array.Empty<string>(), .. parsed.GetValue(flags.DryRun) ? ["--dry-run"] : Array.Empty<string>(), .. kept]);
        return result.Errors.Count == 0 ? result : throw new UsageException($"{source}: {ParseErrors.Describe(result)}");
    }

    private static IEnumerable<string> Flag(string path, string key, object? value) => value switch
    {
        "true" => ["--" + key],
        "false" or null => [],
        string text => ["--" + key, text],
        List<object> list => ["--" + key, string.Join(',', list)],
        _ => throw new InvalidDataException($"{path}: {key} is neither a value nor a list; one key a flag, such as steps: 1000"),
    };
}
