using System.Globalization;

namespace Tern.Retrieval.Exchange;

/// <summary>The column types of pgvector: float32, float16, or the non-zero elements alone.</summary>
public enum PgVectorType
{
    Vector,
    HalfVector,
    SparseVector,
}

/// <summary>A table with vectors, and what pgvector can hold in it. <paramref name="Dimension"/> is the vector's length or the number of terms.</summary>
public sealed record PgVectorOptions(string Table, PgVectorType Type, int Dimension)
{
    private const int ElementLimit = 16_000;
    private const int SparseDimensionLimit = 1_000_000_000;
    private const float LargestHalf = 65_504f;

    public string IdColumn { get; init; } = "id";

    public string Column { get; init; } = "embedding";

    /// <summary>The rows are to get an HNSW index, whose limits are lower.</summary>
    public bool HasIndex { get; init; }

    /// <summary>Rows go by COPY, or by INSERT for servers and proxies that have none.</summary>
    public bool UsesCopy { get; init; } = true;

    /// <summary>What the column cannot hold and what it changes, a sentence each.</summary>
    public IReadOnlyList<string> Limits => Type switch
    {
        PgVectorType.SparseVector => [FormattableString.Invariant($"at most {NonZeroLimit:N0} terms a vector{(HasIndex ? " with an HNSW index" : "")}")],
        PgVectorType.HalfVector => [FormattableString.Invariant($"at most {DenseLimit:N0} dimensions{(HasIndex ? " with an HNSW index" : "")}"), "values of at most 65,504, rounded to 11 significant bits"],
        _ => [FormattableString.Invariant($"at most {DenseLimit:N0} dimensions{(HasIndex ? " with an HNSW index" : "")}")],
    };

    internal string TypeName => Type switch
    {
        PgVectorType.SparseVector => "sparsevec",
        PgVectorType.HalfVector => "halfvec",
        _ => "vector",
    };

    internal string ColumnType => string.Create(CultureInfo.InvariantCulture, $"{TypeName}({Dimension})");

    /// <summary>A schema's name before a dot is its own identifier.</summary>
    internal string QuotedTable => string.Join('.', Table.Split('.', 2).Select(Quote));

    private int NonZeroLimit => HasIndex ? 1000 : ElementLimit;

    private int DenseLimit => !HasIndex ? ElementLimit : Type == PgVectorType.HalfVector ? 4000 : 2000;

    /// <summary>Why there can be no such column, or null.</summary>
    public string? SchemaRefusal()
    {
        if (Table.Length == 0 || Table.Split('.').Length > 2 || Table.Split('.').Append(Column).Append(IdColumn).Any(name => name.Length is 0 or > 63 || name.Contains('\0', StringComparison.Ordinal)))
        {
            return $"'{Table}' with columns '{IdColumn}' and '{Column}': names have 1 to 63 characters, a schema before a dot";
        }

        int limit = Type == PgVectorType.SparseVector ? SparseDimensionLimit : DenseLimit;
        return Dimension < 1 || Dimension > limit ? $"{Dimension} dimensions; 1 to {limit} are possible{(HasIndex ? " with an HNSW index" : "")}" : null;
    }

    /// <summary>Why the column cannot hold this document's vector, or null.</summary>
    public string? Refusal(VectorDocument document)
    {
        if (document.Id.Length == 0 || document.Id.Contains('\0', StringComparison.Ordinal))
        {
            return "its id is empty or has a NUL character";
        }

        if (document.Sparse is { } sparse)
        {
            return Type != PgVectorType.SparseVector ? "its vector is sparse"
                : sparse.Count > NonZeroLimit ? $"{sparse.Count} terms; the limit is {NonZeroLimit}"
                : sparse.Count > 0 && sparse.Terms.Span[^1] >= Dimension ? $"term {sparse.Terms.Span[^1]} of {Dimension}"
                : null;
        }

        if (Type == PgVectorType.SparseVector || document.Dense.Length != Dimension)
        {
            return Type == PgVectorType.SparseVector ? "its vector is dense" : $"{document.Dense.Length} elements where {Dimension} belong";
        }

        foreach (float value in document.Dense.Span)
        {
            if (Type == PgVectorType.HalfVector && Math.Abs(value) > LargestHalf)
            {
                return FormattableString.Invariant($"an element {value}; halfvec holds at most {LargestHalf}");
            }
        }

        return null;
    }

    internal static string Quote(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
