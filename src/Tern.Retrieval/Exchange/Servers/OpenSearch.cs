using System.Text.Json;

namespace Tern.Retrieval.Exchange;

/// <summary>OpenSearch: <c>rank_features</c> for the neural_sparse query, or <c>knn_vector</c>.</summary>
public sealed class OpenSearch(VectorSchema schema) : BulkApi("opensearch", schema)
{
    private const int DimensionLimit = 16_000;

    public override IReadOnlyList<string> Limits => Schema.IsSparse
        ? ["ids of at most 512 bytes", "weights keep 9 significant bits (0.4 %)"]
        : ["ids of at most 512 bytes", $"at most {DimensionLimit:N0} dimensions"];

    private protected override string? DimensionRefusal() => !Schema.IsSparse && Schema.Dimension > DimensionLimit ? $"{Schema.Dimension} dimensions; the limit is {DimensionLimit}" : null;

    private protected override void WriteMapping(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        if (!Schema.IsSparse)
        {
            json.WriteStartObject("settings");
            json.WriteBoolean("index.knn", true);
            json.WriteEndObject();
        }

        json.WriteStartObject("mappings");
        json.WriteStartObject("properties");
        json.WriteStartObject(Schema.Field);
        if (Schema.IsSparse)
        {
            json.WriteString("type", "rank_features");
        }
        else
        {
            json.WriteString("type", "knn_vector");
            json.WriteNumber("dimension", Schema.Dimension);
            json.WriteStartObject("method");
            json.WriteString("name", "hnsw");
            json.WriteString("engine", "faiss");
            json.WriteString("space_type", "innerproduct");
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
