using System.Buffers;
using System.Text.Json;

namespace Tern.Retrieval.Exchange;

/// <summary>
/// The <c>_bulk</c> API that OpenSearch and Elasticsearch share: an action line and a document line for each item, and an
/// answer that judges each item by itself.
/// </summary>
public abstract class BulkApi : VectorServer
{
    private static readonly SearchValues<char> Forbidden = SearchValues.Create("\\/*?\"<>| ,#:");

    private protected BulkApi(string name, VectorSchema schema)
        : base(name, schema)
    {
    }

    internal override ServerRequest Create => new(HttpMethod.Put, Uri.EscapeDataString(Schema.Collection), "application/json", Json(WriteMapping));

    public override void WriteFile(Stream stream, IEnumerable<VectorDocument> documents)
    {
        foreach (VectorDocument document in documents)
        {
            stream.Write(Item(document));
        }
    }

    internal override byte[] Item(VectorDocument document)
    {
        byte[] action = Json(json =>
        {
            json.WriteStartObject();
            json.WriteStartObject("index");
            json.WriteString("_index", Schema.Collection);
            json.WriteString("_id", document.Id);
            json.WriteEndObject();
            json.WriteEndObject();
        });
        byte[] source = Json(json =>
        {
            json.WriteStartObject();
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
        return [.. action, (byte)'\n', .. source, (byte)'\n'];
    }

    internal override ServerRequest Request(IReadOnlyList<(string Id, byte[] Item)> items) =>
        new(HttpMethod.Post, "_bulk", "application/x-ndjson", Join(default, items, default, default));

    internal override ServerAnswer Read(ReadOnlySpan<byte> body, int itemCount)
    {
        var reader = new Utf8JsonReader(body);
        using JsonDocument answer = JsonDocument.ParseValue(ref reader);
        if (!answer.RootElement.GetProperty("errors").GetBoolean())
        {
            return ServerAnswer.Accepted;
        }

        JsonElement items = answer.RootElement.GetProperty("items");
        if (items.GetArrayLength() != itemCount)
        {
            throw new InvalidDataException($"the answer judges {items.GetArrayLength()} items, {itemCount} were sent");
        }

        var refusals = new List<ItemRefusal>();
        int index = 0;
        foreach (JsonElement item in items.EnumerateArray())
        {
            JsonElement result = item.GetProperty("index");
            int status = result.GetProperty("status").GetInt32();
            if (status >= 300)
            {
                refusals.Add(new ItemRefusal(index, $"{status} {ErrorText(result)}", status is 429 or 503));
            }

            index++;
        }

        return new ServerAnswer(refusals);
    }

    internal override string ErrorText(JsonElement answer)
    {
        if (!answer.TryGetProperty("error", out JsonElement error))
        {
            return "";
        }

        if (error.ValueKind != JsonValueKind.Object)
        {
            return error.ToString();
        }

        string reason = error.TryGetProperty("reason", out JsonElement text) ? text.ToString() : "";
        string cause = error.TryGetProperty("caused_by", out JsonElement by) && by.TryGetProperty("reason", out text) ? $" ({text})" : "";
        return reason + cause;
    }

    private protected abstract void WriteMapping(Utf8JsonWriter json);

    private protected override string? CollectionRefusal(string name) =>
        name.Length > 0 && System.Text.Encoding.UTF8.GetByteCount(name) <= 255 && name is not ("." or "..") && !"-_+".Contains(name[0], StringComparison.Ordinal)
        && name.AsSpan().IndexOfAny(Forbidden) < 0 && !name.Any(char.IsUpper)
            ? null
            : $"'{name}' is no name for an index: lower case, at most 255 bytes, none of \\ / * ? \" < > | , # : or space, not starting with - _ +";

    private protected override string? IdRefusal(string id) => id.Length == 0 ? "its id is empty" : IdByteRefusal(id, 512);

    private protected override string? VectorRefusal(VectorDocument document)
    {
        // Lucene's feature fields take normal numbers only.
        const float SmallestNormal = 1.17549435e-38f;
        foreach (float weight in document.Sparse is { } sparse ? sparse.WeightSpan : default)
        {
            if (weight < SmallestNormal)
            {
                return FormattableString.Invariant($"a weight of {weight}; the least is {SmallestNormal}");
            }
        }

        return null;
    }
}
