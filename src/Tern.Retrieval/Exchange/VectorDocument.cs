namespace Tern.Retrieval.Exchange;

/// <summary>A document's id and its sparse vector, as exchanged with other tools.</summary>
public readonly record struct SparseDocument(string Id, SparseVector Vector);

/// <summary>A document's id and its dense vector; a reader may reuse the vector's memory for the next document.</summary>
public readonly record struct DenseDocument(string Id, ReadOnlyMemory<float> Vector);

/// <summary>A document with one vector of either kind: <see cref="Sparse"/>, or <see cref="Dense"/> where that is null.</summary>
public readonly record struct VectorDocument
{
    public VectorDocument(SparseDocument document)
    {
        Id = document.Id;
        Sparse = document.Vector;
    }

    public VectorDocument(DenseDocument document)
    {
        Id = document.Id;
        Dense = document.Vector;
    }

    public string Id { get; }

    public SparseVector? Sparse { get; }

    public ReadOnlyMemory<float> Dense { get; }
}
