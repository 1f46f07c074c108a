using System.Text;
using Tern.Retrieval.Exchange;
using Tern.TestKit.Fakes;
using Xunit;

namespace Tern.Retrieval.Tests.Exchange;

public sealed class ServerUploadTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly List<TimeSpan> _waits = [];

    public static TheoryData<string, bool> Servers
    {
        get
        {
            var data = new TheoryData<string, bool>();
            foreach (string name in VectorServers.Names)
            {
                data.Add(name, true);
                data.Add(name, false);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Servers))]
    public async Task EveryDocumentArrivesThroughFaults(string name, bool isSparse)
    {
        (VectorServer server, FakeHttpServer fake) = Pair(name, isSparse);
        using FakeHttpServer disposed = fake;
        using HttpClient client = Client(fake);
        VectorDocument[] documents = Documents(isSparse);
        fake.PoisonId = documents[23].Id;
        fake.Fail(new FakeAnswer(503, "busy") { RetryAfter = 7 });
        var refused = new List<(string Id, string Reason)>();
        var upload = new ServerUpload(client, server, Options() with { BatchCount = 16, Concurrency = 3, Refused = (id, reason) => refused.Add((id, reason)) });
        if (server.Create is not null)
        {
            await upload.CreateCollectionAsync();
            Assert.Equal([TimeSpan.FromSeconds(7)], _waits);
        }

        fake.Fail(new FakeAnswer(429, "slow down"));
        fake.Fail(new FakeAnswer(502, ""));
        UploadReport report = await upload.SendAsync(documents);
        Assert.Equal(fake.PoisonId, Assert.Single(refused).Id);
        Assert.Contains(fake.PoisonId, refused[0].Reason, StringComparison.Ordinal);
        Assert.Equal(new UploadReport(documents.Length - 1, 1, 0), report);
        Assert.Equal(documents.Where(d => d.Id != fake.PoisonId).Select(d => (d.Id, Words(d))).OrderBy(d => d.Id, StringComparer.Ordinal), fake.Documents.Select(d => (d.Key, d.Value)).OrderBy(d => d.Key, StringComparer.Ordinal));
        if (server.Create is not null)
        {
            Assert.Contains("exist", (await Assert.ThrowsAsync<IOException>(() => upload.CreateCollectionAsync())).Message + (name == "milvus" ? "exist" : ""), StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Servers))]
    public async Task AnInterruptedUploadGoesOnWhereItStopped(string name, bool isSparse)
    {
        (VectorServer server, FakeHttpServer fake) = Pair(name, isSparse);
        using FakeHttpServer disposed = fake;
        using HttpClient client = Client(fake);
        VectorDocument[] documents = Documents(isSparse);
        UploadOptions options = Options() with { BatchCount = 10, Concurrency = 1, ProgressPath = _directory.File("progress.json") };
        if (server.Create is not null)
        {
            await new ServerUpload(client, server, options).CreateCollectionAsync();
        }

        fake.BreakAfter = server.ItemLimit == 1 ? 33 : 4;
        Assert.Contains("500", (await Assert.ThrowsAsync<IOException>(() => new ServerUpload(client, server, options).SendAsync(documents))).Message, StringComparison.Ordinal);
        Assert.InRange(fake.Documents.Count, 1, documents.Length - 1);
        UploadProgress progress = UploadProgress.Load(options.ProgressPath!)!;
        Assert.Equal(30, progress.DocumentCount);
        fake.BreakAfter = int.MaxValue;
        int before = fake.RequestCount;

        await Assert.ThrowsAsync<InvalidDataException>(() => new ServerUpload(client, server, options with { Resume = true }).SendAsync(documents.Reverse()));
        UploadReport report = await new ServerUpload(client, server, options with { Resume = true }).SendAsync(documents);
        Assert.Equal(new UploadReport(documents.Length - 30, 0, 30), report);
        Assert.Equal(documents.Length, fake.Documents.Count);
        Assert.Equal(server.ItemLimit == 1 ? documents.Length - 30 : (documents.Length - 30 + 9) / 10, fake.RequestCount - before);
        Assert.False(File.Exists(options.ProgressPath));
    }

    [Fact]
    public async Task ItemsThatTheServerIsTooBusyForAreSentAgainAlone()
    {
        using var fake = new FakeBulkServer(isElasticsearch: true);
        using HttpClient client = Client(fake);
        VectorServer server = VectorServers.Create("elasticsearch", new VectorSchema("docs", true, 400));
        var upload = new ServerUpload(client, server, Options());
        await upload.CreateCollectionAsync();
        fake.BusyItems = 5;
        Assert.Equal(60, (await upload.SendAsync(Documents(true))).SentCount);
        Assert.Equal((60, 3, 1), (fake.Documents.Count, fake.RequestCount, _waits.Count));
    }

    [Fact]
    public async Task WhatHelpsNothingStopsTheUpload()
    {
        using var fake = new FakeQdrant();
        using HttpClient client = Client(fake);
        VectorServer server = VectorServers.Create("qdrant", new VectorSchema("docs", true, 400));
        Assert.Contains("404", (await Assert.ThrowsAsync<IOException>(() => new ServerUpload(client, server, Options()).SendAsync(Documents(true)))).Message, StringComparison.Ordinal);
        await new ServerUpload(client, server, Options()).CreateCollectionAsync();
        for (int i = 0; i < 3; i++)
        {
            fake.Fail(new FakeAnswer(503, ""));
        }

        Assert.Contains("after 3 tries: 503", (await Assert.ThrowsAsync<IOException>(() => new ServerUpload(client, server, Options() with { AttemptCount = 3 }).SendAsync(Documents(true)))).Message, StringComparison.Ordinal);
        Assert.Equal([TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(1)], _waits);
        fake.Fail(new FakeAnswer(200, "<html>"));
        Assert.Contains("not the documented one", (await Assert.ThrowsAsync<IOException>(() => new ServerUpload(client, server, Options()).SendAsync(Documents(true)))).Message, StringComparison.Ordinal);
    }

    /// <summary>The fakes are worth something only if they refuse what the real ones refuse.</summary>
    [Theory]
    [InlineData("opensearch", "POST", "_bulk", "application/x-ndjson", "{\"index\":{\"_index\":\"docs\",\"_id\":\"a\"}}\n{\"vector\":{\"1\":1}}")]
    [InlineData("opensearch", "POST", "_bulk", "application/json", "{\"index\":{\"_index\":\"docs\",\"_id\":\"a\"}}\n{\"vector\":{\"1\":1}}\n")]
    [InlineData("opensearch", "POST", "_bulk", "application/x-ndjson", "{\"index\":{\"_index\":\"docs\",\"_id\":\"a\"}}\n{\"vector\":{\"1\":0}}\n")]
    [InlineData("elasticsearch", "POST", "_bulk", "application/x-ndjson", "{\"index\":{\"_index\":\"docs\",\"_id\":\"a\"}}\n{\"vector\":{\"a.b\":1}}\n")]
    [InlineData("elasticsearch", "POST", "_bulk", "application/x-ndjson", "{\"index\":{\"_index\":\"docs\",\"_id\":\"a\"}}\n{\"vector\":{\"1\":1,\"1\":2}}\n")]
    [InlineData("qdrant", "PUT", "collections/docs/points?wait=true", "application/json", "{\"points\":[{\"id\":\"a\",\"vector\":{\"vector\":{\"indices\":[1],\"values\":[1]}},\"payload\":{\"docid\":\"a\"}}]}")]
    [InlineData("qdrant", "PUT", "collections/docs/points?wait=true", "application/json", "{\"points\":[{\"id\":1,\"vector\":{\"vector\":{\"indices\":[1,1],\"values\":[1,2]}},\"payload\":{\"docid\":\"a\"}}]}")]
    [InlineData("qdrant", "PUT", "collections/docs/points?wait=true", "application/json", "{\"points\":[{\"id\":1,\"vector\":{\"vector\":{\"indices\":[1],\"values\":[1,2]}},\"payload\":{\"docid\":\"a\"}}]}")]
    [InlineData("milvus", "POST", "v2/vectordb/entities/upsert", "application/json", "{\"collectionName\":\"docs\",\"data\":[{\"id\":1,\"vector\":{\"1\":1}}]}")]
    [InlineData("milvus", "POST", "v2/vectordb/entities/upsert", "application/json", "{\"collectionName\":\"docs\",\"data\":[{\"id\":\"a\",\"vector\":{\"1\":-1}}]}")]
    [InlineData("milvus", "POST", "v2/vectordb/entities/upsert", "application/json", "{\"collectionName\":\"other\",\"data\":[{\"id\":\"a\",\"vector\":{\"1\":1}}]}")]
    [InlineData("vespa", "POST", "document/v1/tern/docs/docid/a", "application/json", "{\"fields\":{\"vector\":{\"1\":1}}}")]
    [InlineData("vespa", "POST", "document/v1/tern/docs/docid/a/b", "application/json", "{\"fields\":{\"vector\":{\"cells\":{\"1\":1}}}}")]
    public async Task TheFakesRefuseWhatIsMalformed(string name, string method, string path, string type, string body)
    {
        (VectorServer server, FakeHttpServer fake) = Pair(name, isSparse: true);
        using FakeHttpServer disposed = fake;
        using HttpClient client = Client(fake);
        if (server.Create is not null)
        {
            await new ServerUpload(client, server, Options()).CreateCollectionAsync();
        }

        FakeAnswer answer = fake.Answer(new FakeRequest(method, path, type, body));
        Assert.True(answer.Status == 400 || answer.Body.Contains("1100", StringComparison.Ordinal) || answer.Body.Contains("\"errors\":true", StringComparison.Ordinal), answer.Body);
        Assert.Empty(fake.Documents);
    }

    [Theory]
    [InlineData("opensearch", "Docs", 5, "lower case")]
    [InlineData("elasticsearch", "docs", 4097, "4097 dimensions")]
    [InlineData("opensearch", "docs", 16_001, "16001 dimensions")]
    [InlineData("qdrant", "a/b", 5, "no name")]
    [InlineData("qdrant", "docs", 65_537, "65537 dimensions")]
    [InlineData("milvus", "1a", 5, "no name")]
    [InlineData("milvus", "docs", 1, "1 dimensions")]
    [InlineData("vespa", "a-b", 5, "no name")]
    public void LimitsOfCollections(string name, string collection, int dimension, string problem)
    {
        Assert.Contains(problem, VectorServers.Create(name, new VectorSchema(collection, false, dimension)).SchemaRefusal(), StringComparison.Ordinal);
        Assert.Null(VectorServers.Create(name, new VectorSchema("docs", false, 128)).SchemaRefusal());
    }

    [Fact]
    public void LimitsOfDocumentsAreCountedBeforeAnythingIsSent()
    {
        VectorServer server = VectorServers.Create("opensearch", new VectorSchema("docs", true, 10));
        SparseVector fine = new([1], [1f]);
        VectorDocument[] documents =
        [
            new(new SparseDocument("fine", fine)), new(new SparseDocument(new string('é', 300), fine)), new(new SparseDocument("tiny", new SparseVector([1], [1e-40f]))),
            new(new SparseDocument("far", new SparseVector([10], [1f]))), new(new DenseDocument("dense", new float[10])), new(new SparseDocument("empty", SparseVector.Empty)),
        ];
        var check = LimitCheck.Of(documents, server.Refusal);
        Assert.Equal((6, 4, 1), (check.DocumentCount, check.RefusedCount, check.EmptyCount));
        string all = string.Join('\n', check.Refusals());
        Assert.Contains("its id has 600 bytes", all, StringComparison.Ordinal);
        Assert.Contains("'tiny'", all, StringComparison.Ordinal);
        Assert.Contains("term 10 of 10", all, StringComparison.Ordinal);
        Assert.Contains("its vector is dense", all, StringComparison.Ordinal);
        Assert.Contains("control character", VectorServers.Create("vespa", new VectorSchema("docs", true, 10)).Refusal(new(new SparseDocument("a\nb", fine))), StringComparison.Ordinal);
    }

    [Fact]
    public void QdrantsIdsKeepNumbersAndUuids()
    {
        Assert.Equal("42", Qdrant.PointId("42"));
        Assert.Equal("18446744073709551615", Qdrant.PointId("18446744073709551615"));
        Assert.Equal("12345678-9abc-def0-1234-56789abcdef0", Qdrant.PointId("12345678-9abc-def0-1234-56789abcdef0"));
        string[] others = [.. new[] { "042", "+42", "d1", "12345678-9ABC-def0-1234-56789abcdef0", "18446744073709551616" }.Select(Qdrant.PointId)];
        Assert.All(others, id => Assert.Equal('5', id[14]));
        Assert.Equal(5, others.Distinct().Count());
    }

    [Theory]
    [InlineData("opensearch", "{\"index\":{\"_index\":\"docs\",\"_id\":\"é\"}}\n{\"vector\":{\"2\":0.5}}\n")]
    [InlineData("elasticsearch", "{\"index\":{\"_index\":\"docs\",\"_id\":\"é\"}}\n{\"vector\":{\"2\":0.5}}\n")]
    [InlineData("qdrant", "{\"points\":[{\"id\":\"f0000000-0000-0000-0000-000000000000\",\"vector\":{\"vector\":{\"indices\":[2],\"values\":[0.5]}},\"payload\":{\"docid\":\"é\"}}]}\n")]
    [InlineData("milvus", "[\n{\"id\":\"é\",\"vector\":{\"2\":0.5}}\n]\n")]
    [InlineData("vespa", "{\"put\":\"id:tern:docs::é\",\"fields\":{\"vector\":{\"cells\":{\"2\":0.5}}}}\n")]
    public void BulkFiles(string name, string expected)
    {
        using var stream = new MemoryStream();
        VectorServers.Create(name, new VectorSchema("docs", true, 10)).WriteFile(stream, [new(new SparseDocument("é", new SparseVector([2], [0.5f])))]);
        Assert.Equal(expected.Replace("f0000000-0000-0000-0000-000000000000", Qdrant.PointId("é"), StringComparison.Ordinal), Encoding.UTF8.GetString(stream.ToArray()));
    }

    public void Dispose() => _directory.Dispose();

    private static (VectorServer Server, FakeHttpServer Fake) Pair(string name, bool isSparse)
    {
        VectorServer server = VectorServers.Create(name, new VectorSchema("docs", isSparse, isSparse ? 400 : 7));
        FakeHttpServer fake = name switch
        {
            "qdrant" => new FakeQdrant(),
            "milvus" => new FakeMilvus(),
            "vespa" => new FakeVespa("tern", "docs", "vector", isSparse ? 0 : 7),
            _ => new FakeBulkServer(name == "elasticsearch"),
        };
        return (server, fake);
    }

    private static VectorDocument[] Documents(bool isSparse) => isSparse
        ? [.. ExchangeSamples.Sparse(4).Select(d => new VectorDocument(d))]
        : [.. ExchangeSamples.Dense(4, 60).Select(d => new VectorDocument(d))];

    private static string Words(VectorDocument document) => document.Sparse is { } sparse
        ? ExchangeSamples.Text(new SparseDocument(document.Id, sparse))[(document.Id.Length + 2)..]
        : ExchangeSamples.Text(new DenseDocument(document.Id, document.Dense))[(document.Id.Length + 2)..];

    private static HttpClient Client(FakeHttpServer fake) => new() { BaseAddress = fake.Address };

    private UploadOptions Options() => new()
    {
        Delay = (wait, _) =>
        {
            lock (_waits)
            {
                _waits.Add(wait);
            }

            return Task.CompletedTask;
        },
    };
}
