using System.Text.Json;
using Microsoft.Extensions.AI;
using Xunit;

namespace Tern.Extensions.Tests.AI;

public sealed class SparseEmbeddingTests
{
    private static readonly SparseEmbedding Example = new([3, 17, 40], [0.5f, 1.25f, 0.1f], 100) { ModelId = "m", CreatedAt = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero) };

    [Fact]
    public void IsAVectorOfItsVocabulary()
    {
        Assert.Equal((100, 100), (Example.Dimensions, Example.VocabularySize));
        Assert.Equal((0.5f * 2f) + (0.1f * 3f), Example.Dot(new SparseEmbedding([3, 5, 40], [2f, 7f, 3f], 100)));
        Assert.Equal([3, 17], Example.Top(2).Indices.ToArray());
        Assert.Equal("m", Example.Top(2).ModelId);
        Assert.Throws<ArgumentException>(() => Example.Dot(new SparseEmbedding([3], [1f], 99)));
    }

    [Theory]
    [InlineData(new[] { 3, 3 }, new[] { 1f, 1f })]
    [InlineData(new[] { 4, 3 }, new[] { 1f, 1f })]
    [InlineData(new[] { 3 }, new[] { 0f })]
    [InlineData(new[] { 3 }, new[] { 1f, 1f })]
    [InlineData(new[] { 100 }, new[] { 1f })]
    [InlineData(new[] { -1 }, new[] { 1f })]
    public void WhatIsNoSparseVectorIsRefused(int[] indices, float[] values) =>
        Assert.Throws<ArgumentException>(() => new SparseEmbedding(indices, values, 100));

    [Fact]
    public void JsonRoundTrips()
    {
        string json = JsonSerializer.Serialize(Example);
        Assert.Equal("""{"indices":[3,17,40],"values":[0.5,1.25,0.1],"vocabularySize":100,"modelId":"m","createdAt":"2026-01-02T03:04:05.0000000\u002B00:00"}""".Replace("\\u002B", "+", StringComparison.Ordinal), json.Replace("\\u002B", "+", StringComparison.Ordinal));
        Same(Example, JsonSerializer.Deserialize<SparseEmbedding>(json)!);
        Same(new SparseEmbedding([], [], 5), JsonSerializer.Deserialize<SparseEmbedding>("""{"vocabularySize": 5, "other": {"a": [1]}, "values": [], "indices": []}""")!);
    }

    /// <summary>As the base type it is refused by the base's closed list, and goes both ways where it was added.</summary>
    [Fact]
    public void AsAnEmbeddingItNeedsToBeAdded()
    {
        Assert.Throws<NotSupportedException>(() => JsonSerializer.Serialize<Embedding>(Example));
        JsonSerializerOptions options = new JsonSerializerOptions(JsonSerializerDefaults.Web).AddSparseEmbedding();
        string json = JsonSerializer.Serialize<Embedding>(Example, options);
        Same(Example, Assert.IsType<SparseEmbedding>(JsonSerializer.Deserialize<Embedding>(json, options)));
        string dense = JsonSerializer.Serialize<Embedding>(new Embedding<float>(new[] { 1f, 2f }), options);
        Assert.Equal([1f, 2f], Assert.IsType<Embedding<float>>(JsonSerializer.Deserialize<Embedding>(dense, options)).Vector.ToArray());
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("""{"indices": [1], "values": [1]}""")]
    [InlineData("""{"indices": [2, 1], "values": [1, 1], "vocabularySize": 9}""")]
    [InlineData("""{"indices": [9], "values": [1], "vocabularySize": 9}""")]
    [InlineData("""{"indices": "1", "values": [1], "vocabularySize": 9}""")]
    [InlineData("""{"indices": [1], "values": ["1"], "vocabularySize": 9}""")]
    public void MalformedJsonIsAJsonError(string json) => Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<SparseEmbedding>(json));

    private static void Same(SparseEmbedding expected, SparseEmbedding actual)
    {
        Assert.Equal(expected.Indices.ToArray(), actual.Indices.ToArray());
        Assert.Equal(expected.Values.ToArray(), actual.Values.ToArray());
        Assert.Equal((expected.VocabularySize, expected.ModelId, expected.CreatedAt), (actual.VocabularySize, actual.ModelId, actual.CreatedAt));
    }
}
