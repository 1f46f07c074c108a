using System.Buffers;
using System.Text.Json;

namespace Tern.Retrieval.Exchange;

/// <summary>
/// A search engine or vector database that takes documents as bulk files and over HTTP: its limits, its JSON and the
/// meaning of its answers. Stateless; <see cref="ServerUpload"/> does the sending. Terms are called by their ids, because
/// servers give meaning to dots and other characters of names.
/// </summary>
public abstract class VectorServer
{
    private protected VectorServer(string name, VectorSchema schema)
    {
        Name = name;
        Schema = schema;
    }

    public string Name { get; }

    public VectorSchema Schema { get; }

    /// <summary>What the server cannot hold and what it changes, a sentence each.</summary>
    public abstract IReadOnlyList<string> Limits { get; }

    /// <summary>Creating the collection with the right field type; null where that is not done over HTTP.</summary>
    internal abstract ServerRequest? Create { get; }

    /// <summary>Documents of one request; 1 where the server takes one at a time.</summary>
    internal virtual int ItemLimit => int.MaxValue;

    /// <summary>Why the collection, field or dimension cannot be, or null.</summary>
    public string? SchemaRefusal()
    {
        if (Schema.Dimension < 1)
        {
            return $"a dimension of {Schema.Dimension}";
        }

        return CollectionRefusal(Schema.Collection) ?? DimensionRefusal();
    }

    /// <summary>Why the server would refuse or silently change this document; null when it takes it as it is.</summary>
    public string? Refusal(VectorDocument document)
    {
        if ((document.Sparse is not null) != Schema.IsSparse)
        {
            return $"its vector is {(Schema.IsSparse ? "dense" : "sparse")}";
        }

        if (document.Sparse is { Count: > 0 } sparse && sparse.TermSpan[^1] >= Schema.Dimension)
        {
            return $"term {sparse.TermSpan[^1]} of {Schema.Dimension}";
        }

        if (document.Sparse is null && document.Dense.Length != Schema.Dimension)
        {
            return $"{document.Dense.Length} elements where {Schema.Dimension} belong";
        }

        return IdRefusal(document.Id) ?? VectorRefusal(document);
    }

    /// <summary>The file that the server's own bulk tools take.</summary>
    public abstract void WriteFile(Stream stream, IEnumerable<VectorDocument> documents);

    /// <summary>One document as it stands in a request.</summary>
    internal abstract byte[] Item(VectorDocument document);

    internal abstract ServerRequest Request(IReadOnlyList<(string Id, byte[] Item)> items);

    /// <summary>What an answer with status 2xx says of <see cref="Create"/>.</summary>
    internal virtual ServerAnswer ReadCreated(ReadOnlySpan<byte> body) => ServerAnswer.Accepted;

    /// <summary>What an answer with status 2xx says of the request's items.</summary>
    internal abstract ServerAnswer Read(ReadOnlySpan<byte> body, int itemCount);

    /// <summary>The server's words in an answer that is no success; empty when there are none.</summary>
    internal abstract string ErrorText(JsonElement answer);

    private protected abstract string? CollectionRefusal(string name);

    private protected abstract string? DimensionRefusal();

    private protected abstract string? IdRefusal(string id);

    private protected virtual string? VectorRefusal(VectorDocument document) => null;

    private protected static byte[] Json(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer, SparseJson.Readable))
        {
            write(json);
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary><c>{"12": 0.5, …}</c>.</summary>
    private protected static void WriteWeights(Utf8JsonWriter json, SparseVector vector)
    {
        json.WriteStartObject();
        for (int i = 0; i < vector.Count; i++)
        {
            json.WriteNumber(TermNames.Ids.Name(vector.TermSpan[i]), vector.WeightSpan[i]);
        }

        json.WriteEndObject();
    }

    private protected static void WriteArray(Utf8JsonWriter json, ReadOnlySpan<float> values)
    {
        json.WriteStartArray();
        foreach (float value in values)
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
    }

    /// <summary>The items between a head and a tail, with a separator.</summary>
    private protected static byte[] Join(ReadOnlySpan<byte> head, IReadOnlyList<(string Id, byte[] Item)> items, ReadOnlySpan<byte> separator, ReadOnlySpan<byte> tail)
    {
        var buffer = new ArrayBufferWriter<byte>(items.Sum(item => item.Item.Length + 1) + head.Length + tail.Length);
        buffer.Write(head);
        for (int i = 0; i < items.Count; i++)
        {
            buffer.Write(i > 0 ? separator : default);
            buffer.Write(items[i].Item);
        }

        buffer.Write(tail);
        return buffer.WrittenSpan.ToArray();
    }

    private protected static string? IdByteRefusal(string id, int largest) =>
        System.Text.Encoding.UTF8.GetByteCount(id) is var count && count > largest ? $"its id has {count} bytes of UTF-8; the limit is {largest}" : null;
}

/// <summary>What is sent: the path is relative to the server's address.</summary>
internal sealed record ServerRequest(HttpMethod Method, string Path, string ContentType, byte[] Body);

/// <summary>What a server said of one item of a request that it did not take.</summary>
internal readonly record struct ItemRefusal(int Index, string Reason, bool MayRetry);

/// <summary>The meaning of an answer: all items taken but <see cref="Refusals"/>, or the whole request refused.</summary>
internal sealed record ServerAnswer(IReadOnlyList<ItemRefusal> Refusals)
{
    public static ServerAnswer Accepted { get; } = new([]);

    /// <summary>Why none of the items was taken; null otherwise.</summary>
    public string? WholeRefusal { get; init; }

    /// <summary>With <see cref="WholeRefusal"/>: sending it again later may help.</summary>
    public bool MayRetry { get; init; }
}
