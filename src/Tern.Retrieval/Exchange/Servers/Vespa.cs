using System.Text.Json;

namespace Tern.Retrieval.Exchange;

/// <summary>
/// Vespa: the document type is the collection. Its schema belongs to the application package and needs a field of type
/// <c>tensor&lt;float&gt;(t{})</c>, or <c>tensor&lt;float&gt;(x[N])</c> for dense vectors. One document a request.
/// </summary>
public sealed class Vespa(VectorSchema schema, string documentNamespace) : VectorServer("vespa", schema)
{
    public override IReadOnlyList<string> Limits => [$"the application's schema '{Schema.Collection}' must have: field {Schema.Field} type tensor<float>({(Schema.IsSparse ? "t{}" : $"x[{Schema.Dimension}]")})", "ids without control characters"];

    internal override ServerRequest? Create => null;

    internal override int ItemLimit => 1;

    /// <summary>JSON Lines for <c>vespa feed</c>.</summary>
    public override void WriteFile(Stream stream, IEnumerable<VectorDocument> documents)
    {
        foreach (VectorDocument document in documents)
        {
            stream.Write(Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("put", $"id:{documentNamespace}:{Schema.Collection}::{document.Id}");
                WriteFields(json, document);
                json.WriteEndObject();
            }));
            stream.WriteByte((byte)'\n');
        }
    }

    internal override byte[] Item(VectorDocument document) => Json(json =>
    {
        json.WriteStartObject();
        WriteFields(json, document);
        json.WriteEndObject();
    });

    internal override ServerRequest Request(IReadOnlyList<(string Id, byte[] Item)> items) =>
        new(HttpMethod.Post, $"document/v1/{documentNamespace}/{Schema.Collection}/docid/{Uri.EscapeDataString(items[0].Id)}", "application/json", items[0].Item);

    internal override ServerAnswer Read(ReadOnlySpan<byte> body, int itemCount) => ServerAnswer.Accepted;

    internal override string ErrorText(JsonElement answer) => answer.TryGetProperty("message", out JsonElement message) ? message.ToString() : "";

    private protected override string? CollectionRefusal(string name) =>
        !IsIdentifier(name) ? $"'{name}' is no name for a document type: letters, digits and _, not starting with a digit"
        : !IsIdentifier(documentNamespace) ? $"'{documentNamespace}' is no name for a namespace: letters, digits and _, not starting with a digit"
        : null;

    private protected override string? DimensionRefusal() => null;

    private protected override string? IdRefusal(string id) => id.Length == 0 ? "its id is empty" : id.Any(char.IsControl) ? "its id has a control character" : IdByteRefusal(id, 65_000);

    private static bool IsIdentifier(string name) => name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');

    private void WriteFields(Utf8JsonWriter json, VectorDocument document)
    {
        json.WriteStartObject("fields");
        json.WriteStartObject(Schema.Field);
        if (document.Sparse is { } sparse)
        {
            json.WritePropertyName("cells");
            WriteWeights(json, sparse);
        }
        else
        {
            json.WritePropertyName("values");
            WriteArray(json, document.Dense.Span);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }
}
