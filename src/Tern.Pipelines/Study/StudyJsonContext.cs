using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tern.Pipelines.Study;

/// <summary>JSON of plans and of what a study leaves behind: snake_case, unknown names refused, so that a misspelt one is not silently a default.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    WriteIndented = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true)]
[JsonSerializable(typeof(StudyPlan))]
[JsonSerializable(typeof(CellRecord))]
[JsonSerializable(typeof(CellProgress))]
[JsonSerializable(typeof(int[]))]
internal sealed partial class StudyJsonContext : JsonSerializerContext;
