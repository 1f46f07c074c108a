using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Tern.Compute;
using Tern.Compute.Cpu;

namespace Tern.Training;

/// <summary>
/// What a checkpoint says of its run beside weights and moments, as <c>trainer_state.json</c>: where the run stands, and
/// everything that its numbers depend on.
/// </summary>
internal sealed record TrainingState
{
    public const string FileName = "trainer_state.json";

    /// <summary>Options that do not change the numbers and may differ in a resumed run.</summary>
    private static readonly string[] FreeOptions =
    [
        nameof(TrainingOptions.CheckpointDirectory),
        nameof(TrainingOptions.CheckpointInterval),
        nameof(TrainingOptions.CheckpointsKept),
        nameof(TrainingOptions.CheckpointFiles),
        nameof(TrainingOptions.CollapseCheckInterval),
        nameof(TrainingOptions.RecomputeActivations),
        nameof(TrainingOptions.ShardOptimizer),
    ];

    /// <summary>Optimiser steps done.</summary>
    public required int Step { get; init; }

    /// <summary>The sampler's position: batches drawn.</summary>
    public required long BatchCount { get; init; }

    /// <summary>Hash of the training set.</summary>
    public required string TrainingSet { get; init; }

    public required string Backend { get; init; }

    /// <summary>How products were calculated: losses depend on it.</summary>
    public string Precision { get; init; } = "f32";

    /// <summary>Vector width of the CPU's kernels; for the record, as products give the same bits on every path.</summary>
    public required string SimdPath { get; init; }

    /// <summary>For the record: results do not depend on it. 0 where the backend has none.</summary>
    public required int ThreadCount { get; init; }

    /// <summary>For the record: with another number of ranks sums are rounded otherwise, in the last bits.</summary>
    public int RankCount { get; init; } = 1;

    public required JsonObject Options { get; init; }

    public static TrainingState Describe(IBackend backend, string data, TrainingOptions options, int step, int rankCount = 1) => new()
    {
        Step = step,
        BatchCount = (long)step * options.AccumulationCount,
        TrainingSet = data,
        Backend = backend.Name,
        Precision = backend.Precision.ToName(),
        SimdPath = SimdPaths.Current.Name,
        ThreadCount = (backend as CpuBackend)?.ThreadCount ?? 0,
        RankCount = rankCount,
        Options = JsonSerializer.SerializeToNode(options, TrainingJsonContext.Default.TrainingOptions)!.AsObject(),
    };

    public static TrainingState Read(string directory)
    {
        string path = Path.Combine(directory, FileName);
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: not found; resume from a checkpoint-… directory of a run, or from the directory that holds them", path);
        }

        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), TrainingJsonContext.Default.TrainingState) ?? throw new JsonException("the file is null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}:{e.LineNumber + 1}: damaged ({e.Message}); resume from another checkpoint", e);
        }
    }

    public void Write(string directory) =>
        File.WriteAllBytes(Path.Combine(directory, FileName), JsonSerializer.SerializeToUtf8Bytes(this, TrainingJsonContext.Default.TrainingState));

    /// <summary>Refuses to go on with a run whose losses would differ from the stored one's.</summary>
    /// <exception cref="InvalidDataException">Names the first thing that differs, with both values.</exception>
    public void RequireSame(TrainingState current, string directory)
    {
        string path = Path.Combine(directory, FileName);
        foreach (string name in current.Options.Select(o => o.Key).Union(Options.Select(o => o.Key)).Except(FreeOptions))
        {
            Require(name, Options[name]?.ToJsonString() ?? "null", current.Options[name]?.ToJsonString() ?? "null", "resume with the options it was started with, or start anew");
        }

        Require("the training set", TrainingSet, current.TrainingSet, "give it the same examples, corpus and tokenizer");
        Require("the backend", Backend, current.Backend, "resume on the same backend");
        Require("the precision of products", Precision, current.Precision, $"resume with --precision {Precision}");

        void Require(string what, string stored, string now, string advice)
        {
            if (stored != now)
            {
                throw new InvalidDataException($"{path}: {what} was {stored} in the run to be resumed and is {now} now; {advice}");
            }
        }
    }
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.Unspecified, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(TrainingState))]
[JsonSerializable(typeof(TrainingOptions))]
internal sealed partial class TrainingJsonContext : JsonSerializerContext;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(TrainingStep))]
internal sealed partial class TrainingStepJsonContext : JsonSerializerContext;
