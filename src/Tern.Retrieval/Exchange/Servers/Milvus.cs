using System.Text.Json;

namespace Tern.Retrieval.Exchange;

/// <summary>Milvus 2.4 and later: a collection with a VarChar key <c>id</c>, over its RESTful API version 2.</summary>
public sealed class Milvus(VectorSchema schema) : VectorServer("milvus", schema)
{
    private const int DimensionLimit = 32_768;
    private const int IdByteLimit = 512;

    public override IReadOnlyList<string> Limits => Schema.IsSparse
        ? [$"ids of at most {IdByteLimit} bytes (the collection's max_length)"]
        : [$"ids of at most {IdByteLimit} bytes (the collection's max_length)", $"2 to {DimensionLimit:N0} dimensions"];

    internal override ServerRequest Create => new(HttpMethod.Post, "v2/vectordb/collections/create", "application/json", Json(json =>
    {
        json.WriteStartObject();
        json.WriteString("collectionName", Schema.Collection);
        json.WriteStartObject("schema");
        json.WriteBoolean("autoID", false);
        json.WriteBoolean("enableDynamicField", false);
        json.WriteStartArray("fields");
        json.WriteStartObject();
        json.WriteString("fieldName", "id");
        json.WriteString("dataType", "VarChar");
        json.WriteBoolean("isPrimary", true);
        json.WriteStartObject("elementTypeParams");
        json.WriteNumber("max_length", IdByteLimit);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartObject();
        json.WriteString("fieldName", Schema.Field);
        json.WriteString("dataType", Schema.IsSparse ? "SparseFloatVector" : "FloatVector");
        if (!Schema.IsSparse)
        {
            json.WriteStartObject("elementTypeParams");
            json.WriteNumber("dim", Schema.Dimension);
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteStartArray("indexParams");
        json.WriteStartObject();
        json.WriteString("fieldName", Schema.Field);
        json.WriteString("indexName", Schema.Field);
        json.WriteString("indexType", Schema.IsSparse ? "SPARSE_INVERTED_INDEX" : "AUTOINDEX");
        json.WriteString("metricType", "IP");
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }));

    /// <summary>The JSON array of rows that Milvus's bulk import takes.</summary>
    public override void WriteFile(Stream stream, IEnumerable<VectorDocument> documents)
    {
        byte separator = (byte)'[';
        foreach (VectorDocument document in documents)
        {
            stream.WriteByte(separator);
            stream.WriteByte((byte)'\n');
            stream.Write(Item(document));
            separator = (byte)',';
        }

        stream.Write(separator == '[' ? "[]\n"u8 : "\n]\n"u8);
    }

    internal override byte[] Item(VectorDocument document) => Json(json =>
    {
        json.WriteStartObject();
        json.WriteString("id", document.Id);
        json.WritePropertyName(Schema.Field);
        if (document.Sparse is { } sparse)
        {
            WriteWeights(json, sparse);
        }
        else
        {
            WriteArray(json, document.Dense.Span);
        }

        json.WriteEndObject();
    });

    internal override ServerRequest Request(IReadOnlyList<(string Id, byte[] Item)> items) =>
        new(HttpMethod.Post, "v2/vectordb/entities/upsert", "application/json", Join([.. "{\"collectionName\":"u8, .. JsonSerializer.SerializeToUtf8Bytes(Schema.Collection, ExchangeJsonContext.Default.String), .. ",\"data\":["u8], items, ","u8, "]}"u8));

    internal override ServerAnswer ReadCreated(ReadOnlySpan<byte> body) => Read(body, 0);

    /// <summary>Milvus answers 200 to everything; <c>code</c> says what happened.</summary>
    internal override ServerAnswer Read(ReadOnlySpan<byte> body, int itemCount)
    {
        var reader = new Utf8JsonReader(body);
        using JsonDocument answer = JsonDocument.ParseValue(ref reader);
        int code = answer.RootElement.GetProperty("code").GetInt32();
        if (code == 0)
        {
            int taken = answer.RootElement.TryGetProperty("data", out JsonElement data) && data.TryGetProperty("upsertCount", out JsonElement count) ? count.GetInt32() : itemCount;
            return taken == itemCount ? ServerAnswer.Accepted : ServerAnswer.Accepted with { WholeRefusal = $"{taken} of {itemCount} rows were taken" };
        }

        // Rate limit, quota, and the rate limit's number in earlier versions.
        return ServerAnswer.Accepted with { WholeRefusal = $"code {code}: {ErrorText(answer.RootElement)}", MayRetry = code is 8 or 9 or 49 };
    }

    internal override string ErrorText(JsonElement answer) => answer.TryGetProperty("message", out JsonElement message) ? message.ToString() : "";

    private protected override string? CollectionRefusal(string name) =>
        name.Length is > 0 and <= 255 && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_') ? null : $"'{name}' is no name for a collection: letters, digits and _, not starting with a digit, at most 255";

    private protected override string? DimensionRefusal() => !Schema.IsSparse && Schema.Dimension is < 2 or > DimensionLimit ? $"{Schema.Dimension} dimensions; 2 to {DimensionLimit} are possible" : null;

    private protected override string? IdRefusal(string id) => id.Length == 0 ? "its id is empty" : IdByteRefusal(id, IdByteLimit);
}
