using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tern.Cli;

/// <summary>
/// <c>train.json</c> of a training run's directory: the command line that started it and the steps that it has, so that
/// <c>--resume</c> needs no other flag and a time budget is counted only once.
/// </summary>
internal sealed record RunRecord(IReadOnlyList<string> Arguments, int Steps, string Set, string Version)
{
    /// <summary>Sequences at a time, given or chosen to fit the memory; 0 for all.</summary>
    public int GradCacheChunk { get; init; }

    /// <summary>Whether blocks are computed again, given or chosen.</summary>
    public bool ActivationCheckpointing { get; init; }

    /// <summary>What the memory plan came to, a rank.</summary>
    public long PlannedBytes { get; init; }

    /// <summary>What the backend has measured of it, the most at once; 0 where it does not measure.</summary>
    public long PeakBytes { get; init; }

    /// <summary>What the time plan came to; 0 where there was none.</summary>
    public double PlannedSeconds { get; init; }

    /// <summary>What the steps took since the run was last started, checkpoints included; 0 until it has ended.</summary>
    public double Seconds { get; init; }

    /// <summary>Ranks that shared each batch.</summary>
    public int Ranks { get; init; } = 1;

    /// <summary>The files that it was trained from.</summary>
    public IReadOnlyList<FileStamp> Inputs { get; init; } = [];

    /// <summary>What it was trained on.</summary>
    public MachineStamp? Machine { get; init; }

    /// <summary>The last step's loss; null until the run has ended.</summary>
    public double? FinalLoss { get; init; }

    /// <summary>The trained weights' fingerprint; empty until the run has ended.</summary>
    public string Weights { get; init; } = "";

    public const string FileName = "train.json";

    /// <summary>The flags as they were given, without the verb and with full paths, so that they mean the same from another directory.</summary>
    public static string[] ArgumentsOf(ParseResult parsed, IReadOnlyList<Option> paths, params Option[] left)
    {
        List<string> arguments = [];
        foreach (OptionResult option in parsed.CommandResult.Children.OfType<OptionResult>().Where(o => !o.Implicit && !left.Contains(o.Option)))
        {
            arguments.Add(option.Option.Name);
            arguments.AddRange(option.Tokens.Select(token => paths.Contains(option.Option) && token.Value != "-" ? Path.GetFullPath(token.Value) : token.Value));
        }

        return [.. arguments];
    }

    public static RunRecord Load(string directory)
    {
        string path = Path.Combine(directory, FileName);
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: not found: {directory} holds no run to resume; leave --resume out to start one", path);
        }

        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), RunRecordJsonContext.Default.RunRecord) ?? throw new JsonException("the file is null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}:{e.LineNumber + 1}: {e.Message}", e);
        }
    }

    public void Save(string directory)
    {
        Directory.CreateDirectory(directory);
        OutputFile.WriteBytes(Path.Combine(directory, FileName), stream => JsonSerializer.Serialize(stream, this, RunRecordJsonContext.Default.RunRecord));
    }
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(RunRecord))]
internal sealed partial class RunRecordJsonContext : JsonSerializerContext;
