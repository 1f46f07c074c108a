using System.Data.Common;
using System.Globalization;
using System.Runtime.CompilerServices;
using Npgsql;
using NpgsqlTypes;
using Pgvector;
using PgSparseVector = Pgvector.SparseVector;

namespace Tern.Retrieval.Exchange;

/// <summary>
/// A table of PostgreSQL with an id column (text, primary key) and a column of pgvector's. Writing copies a batch into a
/// temporary table and takes it over in one transaction, replacing rows of the same id; so a batch is there whole or not
/// at all, and sending it again does no harm. One connection; not thread-safe.
/// </summary>
public sealed class PgVectorTable : IAsyncDisposable
{
    private readonly NpgsqlDataSource _source;
    private readonly NpgsqlConnection _connection;
    private readonly PgVectorOptions _options;

    private PgVectorTable(NpgsqlDataSource source, NpgsqlConnection connection, PgVectorOptions options)
    {
        _source = source;
        _connection = connection;
        _options = options;
    }

    /// <summary>Connects. Failures to connect are an <see cref="IOException"/>, a malformed connection string an <see cref="ArgumentException"/>.</summary>
    public static async Task<PgVectorTable> OpenAsync(string connectionString, PgVectorOptions options, CancellationToken cancellationToken = default)
    {
        var builder = new NpgsqlDataSourceBuilder(connectionString);
        builder.UseVector();
        NpgsqlDataSource source = builder.Build();
        try
        {
            return new PgVectorTable(source, await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false), options);
        }
        catch (DbException e)
        {
            await source.DisposeAsync().ConfigureAwait(false);
            throw Failed(e);
        }
    }

    /// <summary>Connects to a table that is there; its column says type and dimension, to be read from <see cref="Options"/>.</summary>
    public static async Task<PgVectorTable> OpenExistingAsync(string connectionString, string table, string column, CancellationToken cancellationToken = default)
    {
        PgVectorTable opened = await OpenAsync(connectionString, new PgVectorOptions(table, PgVectorType.Vector, 1) { Column = column }, cancellationToken).ConfigureAwait(false);
        try
        {
            return await opened.DescribedAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await opened.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public PgVectorOptions Options => _options;

    /// <summary>Creates the extension and the table where they are missing, and the HNSW index where it is asked for.</summary>
    public async Task CreateAsync(CancellationToken cancellationToken = default)
    {
        await ExecuteAsync("CREATE EXTENSION IF NOT EXISTS vector", cancellationToken).ConfigureAwait(false);
        // The connection learnt its types before there was one called vector.
        await _connection.ReloadTypesAsync(cancellationToken).ConfigureAwait(false);
        await ExecuteAsync($"CREATE TABLE IF NOT EXISTS {_options.QuotedTable} ({PgVectorOptions.Quote(_options.IdColumn)} text PRIMARY KEY, {PgVectorOptions.Quote(_options.Column)} {_options.ColumnType} NOT NULL)", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Builds an HNSW index by inner product (operator &lt;#&gt;); best after the rows are there.</summary>
    public Task CreateIndexAsync(CancellationToken cancellationToken = default) =>
        ExecuteAsync($"CREATE INDEX ON {_options.QuotedTable} USING hnsw ({PgVectorOptions.Quote(_options.Column)} {_options.TypeName}_ip_ops)", cancellationToken);

    /// <summary>
    /// Writes the documents in batches; <paramref name="written"/> is told the number so far and the last id after each commit. A
    /// value that the server refuses is an <see cref="InvalidDataException"/> with the document's id; its batch is not there then.
    /// </summary>
    public async Task WriteAsync(IEnumerable<VectorDocument> documents, int batchCount = 5000, Action<long, string>? written = null, CancellationToken cancellationToken = default)
    {
        long count = 0;
        var batch = new List<(string Id, object Vector)>(batchCount);
        foreach (VectorDocument document in documents)
        {
            batch.Add((document.Id, Value(document)));
            if (batch.Count == batchCount)
            {
                await FlushAsync().ConfigureAwait(false);
            }
        }

        await FlushAsync().ConfigureAwait(false);

        async Task FlushAsync()
        {
            if (batch.Count > 0)
            {
                await WriteBatchAsync(batch, cancellationToken).ConfigureAwait(false);
                written?.Invoke(count += batch.Count, batch[^1].Id);
                batch.Clear();
            }
        }
    }

    /// <summary>The rows in ascending byte order of the id, as they stream from the server. Sparse columns come back as sparse documents.</summary>
    public async IAsyncEnumerable<VectorDocument> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string id = PgVectorOptions.Quote(_options.IdColumn);
        using var command = new NpgsqlCommand($"SELECT {id}, {PgVectorOptions.Quote(_options.Column)} FROM {_options.QuotedTable} ORDER BY {id} COLLATE \"C\"", _connection);
        NpgsqlDataReader reader;
        try
        {
            reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (DbException e)
        {
            throw Failed(e);
        }

        await using (reader.ConfigureAwait(false))
        {
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                string name = reader.GetString(0);
                yield return reader.GetValue(1) switch
                {
                    PgSparseVector sparse => new VectorDocument(new SparseDocument(name, Sparse(name, sparse))),
                    Vector dense => new VectorDocument(new DenseDocument(name, dense.Memory)),
                    HalfVector half => new VectorDocument(new DenseDocument(name, Array.ConvertAll(half.Memory.ToArray(), value => (float)value))),
                    object other => throw new InvalidDataException($"row '{name}' holds a {other.GetType().Name}, no vector"),
                };
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync().ConfigureAwait(false);
        await _source.DisposeAsync().ConfigureAwait(false);
    }

    private static SparseVector Sparse(string id, PgSparseVector vector)
    {
        try
        {
            return new SparseVector(vector.Indices.ToArray(), vector.Values.ToArray());
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"row '{id}': {e.Message.Split(" (Parameter", 2)[0]}", e);
        }
    }

    private static IOException Failed(DbException e) => new($"PostgreSQL: {e.InnerException?.Message ?? e.Message}", e);

    private object Value(VectorDocument document) => _options.Type switch
    {
        PgVectorType.SparseVector => new PgSparseVector(Pairs(document.Sparse!), _options.Dimension),
        PgVectorType.HalfVector => new HalfVector(Array.ConvertAll(document.Dense.ToArray(), value => (Half)value)),
        _ => new Vector(document.Dense.ToArray()),
    };

    private static Dictionary<int, float> Pairs(SparseVector vector)
    {
        var pairs = new Dictionary<int, float>(vector.Count);
        for (int i = 0; i < vector.Count; i++)
        {
            pairs.Add(vector.Terms.Span[i], vector.Weights.Span[i]);
        }

        return pairs;
    }

    private async Task<PgVectorTable> DescribedAsync(CancellationToken cancellationToken)
    {
        string? type;
        try
        {
            using var command = new NpgsqlCommand("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = $2 AND NOT attisdropped", _connection);
            command.Parameters.AddWithValue(_options.QuotedTable);
            command.Parameters.AddWithValue(_options.Column);
            type = await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) as string;
        }
        catch (DbException e)
        {
            throw Failed(e);
        }

        if (type is null)
        {
            throw new InvalidDataException($"PostgreSQL: there is no table '{_options.Table}' with a column '{_options.Column}'");
        }

        string[] parts = type.Split('(', ')');
        PgVectorType? known = parts[0] switch
        {
            "vector" => PgVectorType.Vector,
            "halfvec" => PgVectorType.HalfVector,
            "sparsevec" => PgVectorType.SparseVector,
            _ => null,
        };
        return known is { } found && parts.Length > 1 && int.TryParse(parts[1], CultureInfo.InvariantCulture, out int dimension)
            ? new PgVectorTable(_source, _connection, _options with { Type = found, Dimension = dimension })
            : throw new InvalidDataException($"PostgreSQL: column '{_options.Column}' of '{_options.Table}' is a {type}; needed is vector(N), halfvec(N) or sparsevec(N)");
    }

    private async Task WriteBatchAsync(List<(string Id, object Vector)> batch, CancellationToken cancellationToken)
    {
        try
        {
            NpgsqlTransaction transaction = await _connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                await FillBatchTableAsync(batch, cancellationToken).ConfigureAwait(false);
                // Of an id that the batch has twice, the later row stays, as with any two batches.
                string id = PgVectorOptions.Quote(_options.IdColumn), column = PgVectorOptions.Quote(_options.Column);
                await RunAsync($"INSERT INTO {_options.QuotedTable} ({id}, {column}) SELECT DISTINCT ON ({id}) {id}, {column} FROM tern_batch ORDER BY {id}, ctid DESC ON CONFLICT ({id}) DO UPDATE SET {column} = EXCLUDED.{column}", cancellationToken).ConfigureAwait(false);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (PostgresException e)
        {
            int? row = _options.UsesCopy ? RowOf(e.Where) : await FindRefusedAsync(batch, cancellationToken).ConfigureAwait(false);
            throw row is { } refused && refused < batch.Count ? new InvalidDataException($"PostgreSQL refuses document '{batch[refused].Id}': {e.MessageText}", e) : Failed(e);
        }
        catch (DbException e)
        {
            throw Failed(e);
        }
    }

    /// <summary>Creates the temporary table of the open transaction and fills it.</summary>
    private async Task FillBatchTableAsync(IReadOnlyList<(string Id, object Vector)> rows, CancellationToken cancellationToken)
    {
        string id = PgVectorOptions.Quote(_options.IdColumn), column = PgVectorOptions.Quote(_options.Column);
        await RunAsync($"CREATE TEMPORARY TABLE tern_batch ({id} text, {column} {_options.ColumnType}) ON COMMIT DROP", cancellationToken).ConfigureAwait(false);
        if (!_options.UsesCopy)
        {
            using var insert = new NpgsqlCommand($"INSERT INTO tern_batch SELECT id, vector::{_options.ColumnType} FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS rows(id, vector, place) ORDER BY place", _connection);
            insert.Parameters.AddWithValue(rows.Select(row => row.Id).ToArray());
            insert.Parameters.AddWithValue(rows.Select(row => row.Vector.ToString()!).ToArray());
            await insert.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            return;
        }

        NpgsqlBinaryImporter copy = await _connection.BeginBinaryImportAsync($"COPY tern_batch ({id}, {column}) FROM STDIN (FORMAT BINARY)", cancellationToken).ConfigureAwait(false);
        await using (copy.ConfigureAwait(false))
        {
            foreach ((string documentId, object vector) in rows)
            {
                await copy.StartRowAsync(cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(documentId, NpgsqlDbType.Text, cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(vector, _options.TypeName, cancellationToken).ConfigureAwait(false);
            }

            await copy.CompleteAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>An INSERT does not say which row is at fault: halves are tried and taken back. Null when no row by itself is.</summary>
    private async Task<int?> FindRefusedAsync(List<(string Id, object Vector)> batch, CancellationToken cancellationToken)
    {
        int first = 0, end = batch.Count;
        while (end - first > 1)
        {
            int middle = (first + end) / 2;
            (first, end) = await IsRefusedAsync(first, middle).ConfigureAwait(false) ? (first, middle) : (middle, end);
        }

        return await IsRefusedAsync(first, end).ConfigureAwait(false) ? first : null;

        async Task<bool> IsRefusedAsync(int from, int to)
        {
            NpgsqlTransaction transaction = await _connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                try
                {
                    await FillBatchTableAsync(batch.GetRange(from, to - from), cancellationToken).ConfigureAwait(false);
                    return false;
                }
                catch (PostgresException)
                {
                    return true;
                }
            }
        }
    }

    // "COPY tern_batch, line 3, column embedding"
    private static int? RowOf(string? where)
    {
        const string Mark = "COPY tern_batch, line ";
        if (where is null || !where.StartsWith(Mark, StringComparison.Ordinal))
        {
            return null;
        }

        string digits = new([.. where.Skip(Mark.Length).TakeWhile(char.IsAsciiDigit)]);
        return int.TryParse(digits, CultureInfo.InvariantCulture, out int line) ? line - 1 : null;
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        try
        {
            await RunAsync(sql, cancellationToken).ConfigureAwait(false);
        }
        catch (DbException e)
        {
            throw Failed(e);
        }
    }

    private async Task RunAsync(string sql, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(sql, _connection);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }
}
