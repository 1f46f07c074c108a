using System.Text;
using Npgsql;
using Xunit;

namespace Tern.Retrieval.Exchange.Tests;

public sealed class PgVectorTableTests
{
    /// <summary>One database for all of it: it takes seconds to start. It has no COPY.</summary>
    [PgliteFact]
    public async Task VectorsGoInByInsertAndComeBack()
    {
        using var database = new Pglite();
        await EverythingAsync(database.ConnectionString, usesCopy: false);
    }

    [PostgresFact]
    public Task VectorsGoInByCopyAndComeBack() => EverythingAsync(PostgresFactAttribute.ConnectionString!, usesCopy: true);

    [Fact]
    public async Task NoServerIsOneLine()
    {
        IOException e = await Assert.ThrowsAsync<IOException>(() => PgVectorTable.OpenAsync("Host=127.0.0.1;Port=1;Username=x;Database=x", new PgVectorOptions("t", PgVectorType.Vector, 3)));
        Assert.StartsWith("PostgreSQL: ", e.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() => PgVectorTable.OpenAsync("Hist=127.0.0.1", new PgVectorOptions("t", PgVectorType.Vector, 3)));
    }

    [Theory]
    [InlineData(PgVectorType.Vector, 16_001, false, "16001 dimensions")]
    [InlineData(PgVectorType.Vector, 2001, true, "2001 dimensions")]
    [InlineData(PgVectorType.HalfVector, 4001, true, "4001 dimensions")]
    [InlineData(PgVectorType.SparseVector, 1_000_000_001, false, "1000000001 dimensions")]
    [InlineData(PgVectorType.Vector, 0, false, "0 dimensions")]
    public void LimitsOfColumns(PgVectorType type, int dimension, bool hasIndex, string problem)
    {
        Assert.Contains(problem, new PgVectorOptions("t", type, dimension) { HasIndex = hasIndex }.SchemaRefusal(), StringComparison.Ordinal);
        Assert.Null(new PgVectorOptions("s.t", type, 100) { HasIndex = hasIndex }.SchemaRefusal());
        Assert.Contains("names", new PgVectorOptions("a.b.c", type, 100).SchemaRefusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void LimitsOfDocuments()
    {
        var sparse = new PgVectorOptions("t", PgVectorType.SparseVector, 20_000);
        Assert.Contains("16001 terms", sparse.Refusal(Sparse("a", 16_001)), StringComparison.Ordinal);
        Assert.Contains("1001 terms; the limit is 1000", (sparse with { HasIndex = true }).Refusal(Sparse("a", 1001)), StringComparison.Ordinal);
        Assert.Contains("term 4 of 3", (sparse with { Dimension = 3 }).Refusal(Sparse("a", 5)), StringComparison.Ordinal);
        Assert.Contains("NUL", sparse.Refusal(Sparse("a\0", 1)), StringComparison.Ordinal);
        Assert.Contains("sparse", new PgVectorOptions("t", PgVectorType.Vector, 3).Refusal(Sparse("a", 1)), StringComparison.Ordinal);
        Assert.Contains("70000", new PgVectorOptions("t", PgVectorType.HalfVector, 1).Refusal(new(new DenseDocument("a", new float[] { 70_000 }))), StringComparison.Ordinal);
        Assert.Null(sparse.Refusal(Sparse("a", 16_000)));
    }

    private static async Task EverythingAsync(string connection, bool usesCopy)
    {
        await SparseVectors(connection, usesCopy);
        await DenseVectors(connection, usesCopy, PgVectorType.Vector);
        await DenseVectors(connection, usesCopy, PgVectorType.HalfVector);
        await LimitsAreTheServers(connection, usesCopy);
        await WhatTheServerRefusesIsNamed(connection, usesCopy);
    }

    private static async Task SparseVectors(string connection, bool usesCopy)
    {
        VectorDocument[] documents = [.. Enumerable.Range(0, 257).Select(i => Sparse($"d{i}é", i % 40, i))];
        var options = new PgVectorOptions("sparse \"table\"", PgVectorType.SparseVector, 128_256) { HasIndex = true, UsesCopy = usesCopy };
        await using PgVectorTable table = await PgVectorTable.OpenAsync(connection, options);
        await table.CreateAsync();
        var told = new List<(long, string)>();
        await table.WriteAsync(documents, 100, (count, id) => told.Add((count, id)));
        Assert.Equal([(100L, "d99é"), (200, "d199é"), (257, "d256é")], told);
        await table.WriteAsync([documents[3], Sparse("d3é", 7, 1), documents[3]]);
        await table.CreateIndexAsync();
        List<VectorDocument> read = await Read(table);
        Assert.Equal(documents.OrderBy(d => Convert.ToHexString(Encoding.UTF8.GetBytes(d.Id)), StringComparer.Ordinal).Select(Words), read.Select(Words));

        await table.DisposeAsync();
        await using (PgVectorTable existing = await PgVectorTable.OpenExistingAsync(connection, "sparse \"table\"", "embedding"))
        {
            Assert.Equal((PgVectorType.SparseVector, 128_256), (existing.Options.Type, existing.Options.Dimension));
            Assert.Equal(257, (await Read(existing)).Count);
        }

        Assert.Contains("'other'", (await Assert.ThrowsAsync<InvalidDataException>(() => PgVectorTable.OpenExistingAsync(connection, "sparse \"table\"", "other"))).Message, StringComparison.Ordinal);
        Assert.Contains("is a text", (await Assert.ThrowsAsync<InvalidDataException>(() => PgVectorTable.OpenExistingAsync(connection, "sparse \"table\"", "id"))).Message, StringComparison.Ordinal);
        await using var plain = new NpgsqlConnection(connection);
        await plain.OpenAsync();
        // pgvector counts terms from 1; the operator is the negative inner product.
        await using var search = new NpgsqlCommand("SELECT id FROM \"sparse \"\"table\"\"\" ORDER BY embedding <#> '{2:1,3:5}/128256', id COLLATE \"C\" DESC LIMIT 10", plain);
        await using NpgsqlDataReader reader = await search.ExecuteReaderAsync();
        var found = new List<string>();
        while (await reader.ReadAsync())
        {
            found.Add(reader.GetString(0));
        }

        var query = new SparseVector([1, 2], [1f, 5f]);
        Assert.Equal(
            documents.OrderByDescending(d => d.Sparse!.Dot(query)).ThenByDescending(d => Convert.ToHexString(Encoding.UTF8.GetBytes(d.Id)), StringComparer.Ordinal).Take(10).Select(d => d.Sparse!.Dot(query)),
            found.Select(id => documents.Single(d => d.Id == id).Sparse!.Dot(query)));
    }

    private static async Task DenseVectors(string connection, bool usesCopy, PgVectorType type)
    {
        var random = new Random(3);
        VectorDocument[] documents = [.. Enumerable.Range(0, 20).Select(i => new VectorDocument(new DenseDocument($"{i:00}", Enumerable.Range(0, 9).Select(_ => (float)(Half)(random.NextDouble() - 0.5)).ToArray())))];
        await using PgVectorTable table = await PgVectorTable.OpenAsync(connection, new PgVectorOptions($"public.{type}", type, 9) { UsesCopy = usesCopy });
        await table.CreateAsync();
        await table.WriteAsync(documents);
        Assert.Equal(documents.Select(Words), (await Read(table)).Select(Words));
    }

    /// <summary>What <see cref="PgVectorOptions"/> refuses, the server refuses too; one less and it takes it.</summary>
    private static async Task LimitsAreTheServers(string connection, bool usesCopy)
    {
        var options = new PgVectorOptions("limits", PgVectorType.SparseVector, 20_000) { UsesCopy = usesCopy };
        await using PgVectorTable table = await PgVectorTable.OpenAsync(connection, options);
        await table.CreateAsync();
        await table.WriteAsync([Sparse("at the limit", 16_000)]);
        Assert.Contains("'beyond'", (await Assert.ThrowsAsync<InvalidDataException>(() => table.WriteAsync([Sparse("fine", 1), Sparse("beyond", 16_001)]))).Message, StringComparison.Ordinal);
        Assert.Equal(["at the limit"], (await Read(table)).Select(d => d.Id));
        Assert.Contains("1000 non-zero elements", (await Assert.ThrowsAsync<IOException>(() => table.CreateIndexAsync())).Message, StringComparison.Ordinal);
    }

    private static async Task WhatTheServerRefusesIsNamed(string connection, bool usesCopy)
    {
        await using PgVectorTable table = await PgVectorTable.OpenAsync(connection, new PgVectorOptions("nowhere", PgVectorType.Vector, 2) { UsesCopy = usesCopy });
        Assert.Contains("nowhere", (await Assert.ThrowsAsync<IOException>(() => table.WriteAsync([new(new DenseDocument("a", new float[2]))]))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<IOException>(() => Read(table));
        await table.CreateAsync();
        Assert.Contains("'b'", (await Assert.ThrowsAsync<InvalidDataException>(() => table.WriteAsync([new(new DenseDocument("a", new float[2])), new(new DenseDocument("b", new float[] { 1, float.NaN }))]))).Message, StringComparison.Ordinal);
        Assert.Empty(await Read(table));
    }

    private static async Task<List<VectorDocument>> Read(PgVectorTable table)
    {
        var read = new List<VectorDocument>();
        await foreach (VectorDocument document in table.ReadAsync())
        {
            read.Add(document);
        }

        return read;
    }

    private static VectorDocument Sparse(string id, int count, int seed = 0) =>
        new(new SparseDocument(id, new SparseVector([.. Enumerable.Range(0, count)], [.. Enumerable.Range(0, count).Select(i => 0.5f + ((i + seed) % 7))])));

    private static string Words(VectorDocument document) => document.Id + ": " + (document.Sparse is { } sparse
        ? string.Join(' ', sparse.Terms.ToArray().Zip(sparse.Weights.ToArray()))
        : string.Join(' ', document.Dense.ToArray()));
}
