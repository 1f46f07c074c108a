namespace Tern.Retrieval.Exchange;

/// <summary>The servers that vectors can be sent to; product and tests enumerate them.</summary>
public static class VectorServers
{
    public static IReadOnlyList<string> Names { get; } = ["opensearch", "elasticsearch", "qdrant", "milvus", "vespa"];

    /// <summary>The namespace is Vespa's; the others have none.</summary>
    public static VectorServer Create(string name, VectorSchema schema, string documentNamespace = "tern") => name switch
    {
        "opensearch" => new OpenSearch(schema),
        "elasticsearch" => new Elasticsearch(schema),
        "qdrant" => new Qdrant(schema),
        "milvus" => new Milvus(schema),
        "vespa" => new Vespa(schema, documentNamespace),
        _ => throw new ArgumentException($"unknown server '{name}'; there are: {string.Join(", ", Names)}", nameof(name)),
    };
}
