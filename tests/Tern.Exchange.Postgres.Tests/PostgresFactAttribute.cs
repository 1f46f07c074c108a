using Xunit;

namespace Tern.Retrieval.Exchange.Tests;

/// <summary>A test against an empty database of a PostgreSQL server with pgvector, which the environment names; skipped, with the reason, where it names none.</summary>
public sealed class PostgresFactAttribute : FactAttribute
{
    private const string Variable = "TERN_TEST_POSTGRES";

    public PostgresFactAttribute() => Skip = ConnectionString is null ? $"needs a PostgreSQL server with pgvector; {Variable} has the connection string of an empty database there" : null;

    public static string? ConnectionString => Environment.GetEnvironmentVariable(Variable);
}
