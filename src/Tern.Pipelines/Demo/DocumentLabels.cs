using System.Text.Json;
using Tern.Text;

namespace Tern.Pipelines.Demo;

/// <summary>
/// Names and summaries that a corpus.jsonl carries under "metadata" (BEIR's free field): shown beside a hit, never indexed.
/// Where there is none, a document is called by its title or its id.
/// </summary>
internal sealed class DocumentLabels
{
    private readonly Dictionary<string, (string Name, string Summary)> _labels = new(StringComparer.Ordinal);

    private DocumentLabels()
    {
    }

    /// <summary>Reads a plain corpus.jsonl; a compressed or tab-separated corpus has no labels.</summary>
    public static DocumentLabels Read(string corpusPath)
    {
        var labels = new DocumentLabels();
        if (!corpusPath.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase))
        {
            return labels;
        }

        foreach (string line in File.ReadLines(corpusPath).Where(l => l.Contains("\"metadata\"", StringComparison.Ordinal)))
        {
            using JsonDocument json = JsonDocument.Parse(line);
            if (json.RootElement.TryGetProperty("_id", out JsonElement id) && json.RootElement.TryGetProperty("metadata", out JsonElement metadata) && metadata.ValueKind == JsonValueKind.Object)
            {
                labels._labels[id.ToString()] = (Field(metadata, "name"), Field(metadata, "summary"));
            }
        }

        return labels;
    }

    public string Name(Document document) =>
        _labels.TryGetValue(document.Id, out (string Name, string Summary) label) && label.Name.Length > 0 ? label.Name
        : document.Title.Length > 0 ? document.Title
        : document.Id;

    public StoredDocument Store(Document document, string composedText) =>
        new(Name(document), _labels.TryGetValue(document.Id, out (string Name, string Summary) label) ? label.Summary : "", composedText);

    private static string Field(JsonElement metadata, string name) =>
        metadata.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
}
