using System.Text;
using System.Text.Json;

namespace Tern.TestKit.Fakes;

/// <summary>Milvus's RESTful API version 2: collection creation and upsert; it answers 200 and says in <c>code</c> what it thinks.</summary>
public sealed class FakeMilvus : FakeHttpServer
{
    private string? _collection;
    private string _field = "";
    private int _dimension;
    private int _maxLength;

    protected override FakeAnswer Handle(FakeRequest request)
    {
        StrictJson.Require(request is { Method: "POST", ContentType: "application/json" }, "method or content type");
        JsonElement root = StrictJson.Parse(request.Body);
        return request.Path switch
        {
            "v2/vectordb/collections/create" => Create(root),
            "v2/vectordb/entities/upsert" => Upsert(root),
            _ => new FakeAnswer(404, "404 page not found"),
        };
    }

    protected override FakeAnswer Malformed(string reason) => new(200, JsonSerializer.Serialize(new { code = 1100, message = reason }));

    private FakeAnswer Create(JsonElement root)
    {
        StrictJson.Require(_collection is null, "duplicate collection");
        JsonElement[] parts = root.Object("collectionName", "schema", "indexParams");
        JsonElement[] schema = parts[1].Object("autoID", "enableDynamicField", "fields");
        StrictJson.Require(!schema[0].GetBoolean() && !schema[1].GetBoolean(), "autoID, enableDynamicField");
        JsonElement[] fields = schema[2].Array();
        StrictJson.Require(fields.Length == 2, "two fields");
        JsonElement[] key = fields[0].Object("fieldName", "dataType", "isPrimary", "elementTypeParams");
        key[0].IsText("id");
        key[1].IsText("VarChar");
        StrictJson.Require(key[2].GetBoolean(), "isPrimary");
        _maxLength = key[3].Object("max_length")[0].GetInt32();
        StrictJson.Require(_maxLength is > 0 and <= 65_535, "max_length");
        bool isSparse = fields[1].GetProperty("dataType").Text() == "SparseFloatVector";
        JsonElement[] vector = isSparse ? fields[1].Object("fieldName", "dataType") : fields[1].Object("fieldName", "dataType", "elementTypeParams");
        _field = vector[0].Text();
        if (!isSparse)
        {
            vector[1].IsText("FloatVector");
            _dimension = vector[2].Object("dim")[0].GetInt32();
            StrictJson.Require(_dimension is >= 2 and <= 32_768, "dim");
        }

        JsonElement[] index = parts[2].Array().Single().Object("fieldName", "indexName", "indexType", "metricType");
        index[0].IsText(_field);
        index[2].IsText(isSparse ? "SPARSE_INVERTED_INDEX" : "AUTOINDEX");
        index[3].IsText("IP");
        _collection = parts[0].Text();
        return new FakeAnswer(200, "{\"code\":0,\"data\":{}}");
    }

    private FakeAnswer Upsert(JsonElement root)
    {
        JsonElement[] parts = root.Object("collectionName", "data");
        StrictJson.Require(parts[0].Text() == _collection, $"can't find collection[{parts[0]}]");
        var rows = new List<(string Id, string Vector)>();
        foreach (JsonElement row in parts[1].Array())
        {
            JsonElement[] cells = row.Object("id", _field);
            string id = cells[0].Text();
            StrictJson.Require(id.Length > 0 && Encoding.UTF8.GetByteCount(id) <= _maxLength && id != PoisonId, $"id {id}");
            rows.Add((id, _dimension > 0 ? cells[1].Floats(_dimension) : cells[1].Weights()));
        }

        StrictJson.Require(rows.Count > 0, "no data");
        foreach ((string id, string vector) in rows)
        {
            Documents[id] = vector;
        }

        return new FakeAnswer(200, JsonSerializer.Serialize(new { code = 0, data = new { upsertCount = rows.Count, upsertIds = rows.Select(r => r.Id) } }));
    }
}
