using System.Globalization;
using System.Text.Json;

namespace Tern.TestKit.Fakes;

/// <summary>Qdrant's collection creation and point upsert: a request is taken whole or not at all.</summary>
public sealed class FakeQdrant : FakeHttpServer
{
    private readonly Dictionary<string, string> _idOfPoint = [];
    private string? _collection;
    private string _field = "";
    private int _dimension;

    protected override FakeAnswer Handle(FakeRequest request)
    {
        StrictJson.Require(request.ContentType == "application/json", $"content type {request.ContentType}");
        string[] path = request.Path.Split('/');
        return request.Method == "PUT" && path is ["collections", var created] ? Create(created, StrictJson.Parse(request.Body))
            : request.Method == "PUT" && path is ["collections", var collection, "points?wait=true"] ? Upsert(collection, StrictJson.Parse(request.Body))
            : new FakeAnswer(404, "");
    }

    protected override FakeAnswer Malformed(string reason) => new(400, JsonSerializer.Serialize(new { status = new { error = reason }, time = 0.1 }));

    private FakeAnswer Create(string name, JsonElement root)
    {
        StrictJson.Require(_collection is null, $"Collection `{name}` already exists!");
        if (root.TryGetProperty("sparse_vectors", out _))
        {
            JsonProperty field = root.Object("sparse_vectors")[0].EnumerateObject().Single();
            field.Value.Object();
            _field = field.Name;
        }
        else
        {
            JsonProperty field = root.Object("vectors")[0].EnumerateObject().Single();
            JsonElement[] parameters = field.Value.Object("size", "distance");
            _dimension = parameters[0].GetInt32();
            StrictJson.Require(_dimension is > 0 and <= 65_536, "size");
            parameters[1].IsText("Dot");
            _field = field.Name;
        }

        _collection = name;
        return new FakeAnswer(200, "{\"result\":true,\"status\":\"ok\",\"time\":0.1}");
    }

    private FakeAnswer Upsert(string collection, JsonElement root)
    {
        if (collection != _collection)
        {
            return new FakeAnswer(404, JsonSerializer.Serialize(new { status = new { error = $"Not found: Collection `{collection}` doesn't exist!" }, time = 0.1 }));
        }

        var points = new List<(string Point, string Id, string Vector)>();
        foreach (JsonElement point in root.Object("points")[0].Array())
        {
            JsonElement[] parts = point.Object("id", "vector", "payload");
            string id = parts[2].Object("docid")[0].Text();
            StrictJson.Require(id != PoisonId, $"Format error in JSON body: {id}");
            points.Add((PointId(parts[0]), id, Vector(parts[1].Object(_field)[0])));
        }

        foreach ((string point, string id, string vector) in points)
        {
            StrictJson.Require(!_idOfPoint.TryGetValue(point, out string? earlier) || earlier == id, $"point {point} of '{earlier}' is overwritten by '{id}'");
            _idOfPoint[point] = id;
            Documents[id] = vector;
        }

        return new FakeAnswer(200, "{\"result\":{\"operation_id\":7,\"status\":\"completed\"},\"status\":\"ok\",\"time\":0.1}");
    }

    private static string PointId(JsonElement id)
    {
        bool isNumber = id.ValueKind == JsonValueKind.Number && id.TryGetUInt64(out _);
        bool isUuid = id.ValueKind == JsonValueKind.String && Guid.TryParse(id.GetString(), CultureInfo.InvariantCulture, out _);
        StrictJson.Require(isNumber || isUuid, $"value {id} is not a valid point ID, valid values are either an unsigned integer or a UUID");
        return id.ToString();
    }

    private string Vector(JsonElement vector)
    {
        if (_dimension > 0)
        {
            return vector.Floats(_dimension);
        }

        JsonElement[] parts = vector.Object("indices", "values");
        (JsonElement[] indices, JsonElement[] values) = (parts[0].Array(), parts[1].Array());
        StrictJson.Require(indices.Length == values.Length, "must be the same length as indices");
        StrictJson.Require(indices.All(i => i.TryGetUInt32(out _)), "an index that is no u32");
        return StrictJson.Vector(indices.Zip(values, (i, v) => (i.GetInt32(), v.Float())));
    }
}
