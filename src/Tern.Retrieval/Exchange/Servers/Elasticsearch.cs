using System.Text.Json;

namespace Tern.Retrieval.Exchange;

/// <summary>Elasticsearch 8.15 and later: <c>sparse_vector</c>, or <c>dense_vector</c> by inner product.</summary>
public sealed class Elasticsearch(VectorSchema schema) : BulkApi("elasticsearch", schema)
{
    private const int DimensionLimit = 4096;

    public override IReadOnlyList<string> Limits => Schema.IsSparse
        ? ["ids of at most 512 bytes", "weights keep 9 significant bits (0.4 %)", "the sparse_vector query prunes unless \"prune\": false"]
        : ["ids of at most 512 bytes", $"at most {DimensionLimit:N0} dimensions"];

    private protected override string? DimensionRefusal() => !Schema.IsSparse && Schema.Dimension > DimensionLimit ? $"{Schema.Dimension} dimensions; the limit is {DimensionLimit}" : null;

    private protected override void WriteMapping(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteStartObject("mappings");
        json.WriteStartObject("properties");
        json.WriteStartObject(Schema.Field);
        if (Schema.IsSparse)
        {
            json.WriteString("type", "sparse_vector");
        }
        else
        {
            json.WriteString("type", "dense_vector");
            json.WriteNumber("dims", Schema.Dimension);
            json.WriteBoolean("index", true);
            json.WriteString("similarity", "max_inner_product");
        }

        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
