using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tern.Benchmarks.Peers;

/// <summary>
/// The work that Tern and its peers are given, as files: models as model directories, everything else in <c>work.json</c>.
/// All of it follows from fixed seeds.
/// </summary>
internal sealed record PeerWork
{
    public const string FileName = "work.json";

    /// <summary>Token ids of documents, by the name of the set.</summary>
    public required IReadOnlyDictionary<string, int[][]> Documents { get; init; }

    /// <summary>A training step of the blocks takes this many documents, the first of a set.</summary>
    public required int TrainingDocuments { get; init; }

    public required SparseStepWork SparseStep { get; init; }

    public required SparseHeadWork SparseHead { get; init; }

    public static PeerWork Load(string directory) =>
        JsonSerializer.Deserialize(File.ReadAllText(Path.Combine(directory, FileName)), PeerJson.Default.PeerWork) ?? throw new InvalidDataException($"{directory}: {FileName} is empty; make it again with the verb peers-prepare");

    public void Save(string directory) => File.WriteAllText(Path.Combine(directory, FileName), JsonSerializer.Serialize(this, PeerJson.Default.PeerWork));

    /// <summary>The derivative of the loss with respect to element [row, column] of the representations: some numbers, the same for everybody.</summary>
    public static float GradientAt(int row, int column) => ((((row * 31) + (column * 17)) % 101) - 50) / 5000f;
}

/// <summary>A training step of the demo's sparse model: one batch, the same in every step.</summary>
internal sealed record SparseStepWork(int[][] Queries, int[][] Documents, float LearningRate, int StepCount, float ClipNorm, float QueryFlopsWeight, float DocumentFlopsWeight, float LogitScale);

/// <summary>
/// The sparse head alone. hidden [sequences · length, hiddenSize] and weight [vocabulary, hiddenSize] are the files
/// <c>head-hidden.f32</c> and <c>head-weight.f32</c>; the bias is one number, so that few maxima are positive.
/// </summary>
internal sealed record SparseHeadWork(int Sequences, int Length, int Vocabulary, int HiddenSize, float Bias)
{
    public const string HiddenFileName = "head-hidden.f32";
    public const string WeightFileName = "head-weight.f32";
}

/// <summary>One line to a worker. <c>task</c>: train, encode, sparse_step or sparse_head.</summary>
internal sealed record PeerRequest
{
    public required string Task { get; init; }

    /// <summary>Set of documents.</summary>
    public string Set { get; init; } = "equal";

    public int Threads { get; init; } = 2;

    public string Precision { get; init; } = "fp32";

    /// <summary>Whether a training step updates the weights (AdamW).</summary>
    public bool Optimizer { get; init; }

    /// <summary>Untimed calls before the timed ones.</summary>
    public int Warm { get; init; } = 1;

    public int Repeat { get; init; } = 1;

    /// <summary>Where to write what the call computed, for comparison; null for nowhere.</summary>
    public string? Output { get; init; }
}

/// <summary>One line from a worker.</summary>
internal sealed record PeerReply
{
    /// <summary>What cannot be done, and why; then nothing else counts.</summary>
    public string? Error { get; init; }

    public string? Name { get; init; }

    /// <summary>Wall-clock seconds of each timed call.</summary>
    public double[]? Seconds { get; init; }

    /// <summary>Processor time of each timed call, all threads together.</summary>
    public double[]? ProcessorSeconds { get; init; }

    /// <summary>Losses of all steps so far, where there are any.</summary>
    public double[]? Losses { get; init; }

    /// <summary>Growth of the process's largest resident memory by the calls, where it was asked for.</summary>
    public long? PeakBytes { get; init; }

    /// <summary>Share of entries other than zero in a sparse result.</summary>
    public double? NonZeros { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PeerWork))]
[JsonSerializable(typeof(PeerRequest))]
[JsonSerializable(typeof(PeerReply))]
internal sealed partial class PeerJson : JsonSerializerContext;
