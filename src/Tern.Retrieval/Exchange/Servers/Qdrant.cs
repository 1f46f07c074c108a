using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Tern.Retrieval.Exchange;

/// <summary>
/// Qdrant. Its ids are 64-bit numbers or UUIDs: an id that is one, in its usual spelling, stays; another becomes the
/// UUID (version 5) of its bytes. The payload has the id itself as <c>docid</c>.
/// </summary>
public sealed class Qdrant(VectorSchema schema) : VectorServer("qdrant", schema)
{
    private const int DimensionLimit = 65_536;
    private const int PointsPerLine = 256;

    private static readonly SearchValues<char> Forbidden = SearchValues.Create("<>:\"/\\|?*\0");

    // "docid" of Tern, itself a UUID of version 5 in the namespace of URLs.
    private static readonly Guid Namespace = Version5(new Guid("6ba7b811-9dad-11d1-80b4-00c04fd430c8"), "urn:tern:docid");

    public override IReadOnlyList<string> Limits => Schema.IsSparse
        ? ["ids that are neither unsigned 64-bit numbers nor UUIDs become UUIDs; payload \"docid\" has the id"]
        : ["ids that are neither unsigned 64-bit numbers nor UUIDs become UUIDs; payload \"docid\" has the id", $"at most {DimensionLimit:N0} dimensions"];

    internal override ServerRequest Create => new(HttpMethod.Put, CollectionPath, "application/json", Json(json =>
    {
        json.WriteStartObject();
        json.WriteStartObject(Schema.IsSparse ? "sparse_vectors" : "vectors");
        json.WriteStartObject(Schema.Field);
        if (!Schema.IsSparse)
        {
            json.WriteNumber("size", Schema.Dimension);
            json.WriteString("distance", "Dot");
        }

        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }));

    private string CollectionPath => $"collections/{Uri.EscapeDataString(Schema.Collection)}";

    /// <summary>The point id of an external id, as JSON has it: a number or a UUID.</summary>
    public static string PointId(string id)
    {
        bool isNumber = ulong.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) && number.ToString(CultureInfo.InvariantCulture) == id;
        bool isUuid = Guid.TryParseExact(id, "D", out Guid uuid) && uuid.ToString() == id;
        return isNumber || isUuid ? id : Version5(Namespace, id).ToString();
    }

    /// <summary>Each line is the body of a <c>PUT /collections/NAME/points</c>.</summary>
    public override void WriteFile(Stream stream, IEnumerable<VectorDocument> documents)
    {
        foreach (VectorDocument[] batch in documents.Chunk(PointsPerLine))
        {
            stream.Write(Request([.. batch.Select(document => (document.Id, Item(document)))]).Body);
            stream.WriteByte((byte)'\n');
        }
    }

    internal override byte[] Item(VectorDocument document) => Json(json =>
    {
        string id = PointId(document.Id);
        json.WriteStartObject();
        json.WritePropertyName("id");
        if (id.Length < 36)
        {
            json.WriteRawValue(id);
        }
        else
        {
            json.WriteStringValue(id);
        }

        json.WriteStartObject("vector");
        json.WritePropertyName(Schema.Field);
        if (document.Sparse is { } sparse)
        {
            json.WriteStartObject();
            json.WriteStartArray("indices");
            foreach (int term in sparse.TermSpan)
            {
                json.WriteNumberValue(term);
            }

            json.WriteEndArray();
            json.WritePropertyName("values");
            WriteArray(json, sparse.WeightSpan);
            json.WriteEndObject();
        }
        else
        {
            WriteArray(json, document.Dense.Span);
        }

        json.WriteEndObject();
        json.WriteStartObject("payload");
        json.WriteString("docid", document.Id);
        json.WriteEndObject();
        json.WriteEndObject();
    });

    internal override ServerRequest Request(IReadOnlyList<(string Id, byte[] Item)> items) =>
        new(HttpMethod.Put, CollectionPath + "/points?wait=true", "application/json", Join("{\"points\":["u8, items, ","u8, "]}"u8));

    internal override ServerAnswer Read(ReadOnlySpan<byte> body, int itemCount)
    {
        var reader = new Utf8JsonReader(body);
        using JsonDocument answer = JsonDocument.ParseValue(ref reader);
        JsonElement status = answer.RootElement.GetProperty("status");
        return status.ValueKind == JsonValueKind.String && status.GetString() == "ok" ? ServerAnswer.Accepted : ServerAnswer.Accepted with { WholeRefusal = ErrorText(answer.RootElement) };
    }

    internal override string ErrorText(JsonElement answer) =>
        answer.TryGetProperty("status", out JsonElement status) && status.ValueKind == JsonValueKind.Object && status.TryGetProperty("error", out JsonElement error) ? error.ToString() : "";

    private protected override string? CollectionRefusal(string name) =>
        name.Length is > 0 and <= 255 && name.AsSpan().IndexOfAny(Forbidden) < 0 ? null : $"'{name}' is no name for a collection: 1 to 255 characters, none of < > : \" / \\ | ? *";

    private protected override string? DimensionRefusal() => !Schema.IsSparse && Schema.Dimension > DimensionLimit ? $"{Schema.Dimension} dimensions; the limit is {DimensionLimit}" : null;

    private protected override string? IdRefusal(string id) => id.Length == 0 ? "its id is empty" : null;

    /// <summary>RFC 9562: SHA-1 of the namespace's bytes and the name's.</summary>
    private static Guid Version5(Guid space, string name)
    {
        byte[] hash = SHA1.HashData([.. space.ToByteArray(bigEndian: true), .. Encoding.UTF8.GetBytes(name)]);
        hash[6] = (byte)((hash[6] & 0x0F) | 0x50);
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new Guid(hash.AsSpan(0, 16), bigEndian: true);
    }
}
