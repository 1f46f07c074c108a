using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tern.Pipelines.Suite;

/// <summary>A system on one dataset, in the layout of MTEB's result files, with what else the figures depend on beside it.</summary>
public sealed record SuiteResult
{
    [JsonPropertyName("task_name")]
    public required string Dataset { get; init; }

    /// <summary>By split, MTEB's list of subsets, of which there is one: keys such as <c>ndcg_at_10</c>, and <c>main_score</c>.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<IReadOnlyDictionary<string, JsonElement>>> Scores { get; init; }

    /// <summary>Seconds to encode, index and search.</summary>
    public required double EvaluationTime { get; init; }

    public required string System { get; init; }

    /// <summary>All measures by the names that they were asked for, as trec_eval computes them, over all judged topics.</summary>
    public required IReadOnlyDictionary<string, double> Measures { get; init; }

    public required string Split { get; init; }

    public required int DocumentCount { get; init; }

    public required int TopicCount { get; init; }

    public required int SearchDepth { get; init; }

    /// <summary>Whether documents of their topic's own id were dropped, and why.</summary>
    public required string SelfMatches { get; init; }

    /// <summary>Hash of the system, the dataset and the options: a result is used again where it is equal.</summary>
    public required string Inputs { get; init; }
}

/// <summary>Snake case, as MTEB has it.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(SuiteResult))]
[JsonSerializable(typeof(double))]
[JsonSerializable(typeof(string))]
internal sealed partial class SuiteJsonContext : JsonSerializerContext;
