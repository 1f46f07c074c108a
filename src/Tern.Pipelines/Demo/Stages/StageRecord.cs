using System.Text.Json.Nodes;

namespace Tern.Pipelines.Demo.Stages;

/// <summary>
/// What a finished stage leaves in <c>state/NAME.json</c>: what it was made from, how long it took and what others need
/// to know of it. It is written last, so a stage that was interrupted has none.
/// </summary>
internal sealed record StageRecord(string Fingerprint, double Seconds, string Summary, JsonNode Figures);
