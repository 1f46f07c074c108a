using System.Text.Json;

namespace Tern.TestKit.Fakes;

/// <summary>Vespa's document API version 1 for one document type, with a sparse field or a dense one of this dimension.</summary>
public sealed class FakeVespa(string documentNamespace, string type, string field, int dimension) : FakeHttpServer
{
    protected override FakeAnswer Handle(FakeRequest request)
    {
        string prefix = $"document/v1/{documentNamespace}/{type}/docid/";
        StrictJson.Require(request is { Method: "POST", ContentType: "application/json" } && request.Path.StartsWith(prefix, StringComparison.Ordinal), $"no handler for {request.Method} /{request.Path}");
        string encoded = request.Path[prefix.Length..];
        StrictJson.Require(encoded.Length > 0 && !encoded.Contains('?', StringComparison.Ordinal) && !encoded.Contains('/', StringComparison.Ordinal), $"path {encoded}");
        string id = Uri.UnescapeDataString(encoded);
        StrictJson.Require(id != PoisonId && !id.Any(char.IsControl), $"Illegal document id {id}");
        JsonElement tensor = StrictJson.Parse(request.Body).Object("fields")[0].Object(field)[0];
        Documents[id] = dimension > 0 ? tensor.Object("values")[0].Floats(dimension) : tensor.Object("cells")[0].Weights();
        return new FakeAnswer(200, JsonSerializer.Serialize(new { pathId = "/" + request.Path, id = $"id:{documentNamespace}:{type}::{id}" }));
    }

    protected override FakeAnswer Malformed(string reason) => new(400, JsonSerializer.Serialize(new { pathId = "/", message = reason }));
}
