using System.Text.Json;

namespace Tern.TestKit.Fakes;

/// <summary>OpenSearch's and Elasticsearch's index creation and <c>_bulk</c>, as their references describe them.</summary>
public sealed class FakeBulkServer(bool isElasticsearch) : FakeHttpServer
{
    private string? _index;
    private string _field = "";
    private int _dimension;

    /// <summary>Items of the next bulk request that are answered with 429 each.</summary>
    public int BusyItems { get; set; }

    protected override FakeAnswer Handle(FakeRequest request) => request switch
    {
        { Method: "PUT" } => Create(request),
        { Method: "POST", Path: "_bulk" } => Bulk(request),
        _ => new FakeAnswer(404, "{\"error\":\"no handler\",\"status\":404}"),
    };

    protected override FakeAnswer Malformed(string reason) =>
        new(400, JsonSerializer.Serialize(new { error = new { type = "illegal_argument_exception", reason }, status = 400 }));

    private FakeAnswer Create(FakeRequest request)
    {
        StrictJson.Require(request.ContentType == "application/json", $"content type {request.ContentType}");
        StrictJson.Require(_index is null, "resource_already_exists_exception");
        JsonElement root = StrictJson.Parse(request.Body);
        bool hasSettings = root.TryGetProperty("settings", out JsonElement settings);
        JsonElement mappings = hasSettings ? root.Object("settings", "mappings")[1] : root.Object("mappings")[0];
        JsonProperty field = mappings.Object("properties")[0].EnumerateObject().Single();
        string type = field.Value.GetProperty("type").Text();
        switch (type)
        {
            case "rank_features" when !isElasticsearch && !hasSettings:
            case "sparse_vector" when isElasticsearch && !hasSettings:
                field.Value.Object("type");
                break;
            case "knn_vector" when !isElasticsearch:
                StrictJson.Require(hasSettings && settings.Object("index.knn")[0].GetBoolean(), "index.knn is needed");
                JsonElement[] knn = field.Value.Object("type", "dimension", "method");
                _dimension = knn[1].GetInt32();
                JsonElement[] method = knn[2].Object("name", "engine", "space_type");
                method[0].IsText("hnsw");
                StrictJson.Require(method[1].Text() is "faiss" or "lucene", "engine");
                method[2].IsText("innerproduct");
                StrictJson.Require(_dimension is > 0 and <= 16_000, "dimension");
                break;
            case "dense_vector" when isElasticsearch:
                JsonElement[] dense = field.Value.Object("type", "dims", "index", "similarity");
                _dimension = dense[1].GetInt32();
                StrictJson.Require(_dimension is > 0 and <= 4096 && dense[2].GetBoolean(), "dims");
                dense[3].IsText("max_inner_product");
                break;
            default:
                throw new MalformedRequestException($"no handler for type [{type}]");
        }

        _field = field.Name;
        _index = request.Path;
        StrictJson.Require(_index.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_'), "index name");
        return new FakeAnswer(200, "{\"acknowledged\":true,\"shards_acknowledged\":true}");
    }

    private FakeAnswer Bulk(FakeRequest request)
    {
        StrictJson.Require(request.ContentType == "application/x-ndjson", $"content type {request.ContentType}");
        StrictJson.Require(request.Body.EndsWith('\n'), "The bulk request must be terminated by a newline [\\n]");
        string[] lines = request.Body[..^1].Split('\n');
        StrictJson.Require(lines.Length % 2 == 0, "an action without a document");
        var items = new List<object>();
        bool errors = false;
        for (int i = 0; i < lines.Length; i += 2)
        {
            JsonElement[] action = StrictJson.Parse(lines[i]).Object("index")[0].Object("_index", "_id");
            string id = action[1].Text();
            (int status, string type, string reason) = BusyItems > 0 ? (429, "es_rejected_execution_exception", "queue is full") : Index(action[0].Text(), id, lines[i + 1]);
            BusyItems = Math.Max(0, BusyItems - 1);
            errors |= status >= 300;
            items.Add(status < 300
                ? new { index = new { _index, _id = id, result = "created", status } }
                : new { index = new { _index, _id = id, status, error = new { type, reason, caused_by = new { type = "x", reason = "y" } } } });
        }

        return new FakeAnswer(200, JsonSerializer.Serialize(new { took = 3, errors, items }));
    }

    private (int Status, string Type, string Reason) Index(string index, string id, string source)
    {
        if (index != _index)
        {
            return (404, "index_not_found_exception", $"no such index [{index}]");
        }

        if (System.Text.Encoding.UTF8.GetByteCount(id) > 512 || id.Length == 0 || id == PoisonId)
        {
            return (400, "illegal_argument_exception", $"id [{id}] cannot be");
        }

        try
        {
            JsonElement vector = StrictJson.Parse(source).Object(_field)[0];
            Documents[id] = _dimension > 0 ? vector.Floats(_dimension) : vector.Weights();
            return (201, "", "");
        }
        catch (MalformedRequestException e)
        {
            return (400, "document_parsing_exception", e.Message);
        }
    }
}
