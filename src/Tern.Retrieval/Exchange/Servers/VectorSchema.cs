namespace Tern.Retrieval.Exchange;

/// <summary>
/// Where vectors go at a server: the collection (index, document type), the field, and what the field holds:
/// <paramref name="Dimension"/> is the vector's length, or for sparse ones the number of terms.
/// </summary>
public sealed record VectorSchema(string Collection, bool IsSparse, int Dimension)
{
    public string Field { get; init; } = "vector";
}
