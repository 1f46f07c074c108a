using Tern.Model;
using Tern.Tests;

namespace Tern.Extensions.Tests;

/// <summary>A sparse and a dense model with an index each, and a BM25 index, in a directory of their own.</summary>
public sealed class Models : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public Models()
    {
        Sparse = TinyModel.Write(_directory["sparse"], RepresentationKind.Sparse);
        Dense = TinyModel.Write(_directory["dense"], RepresentationKind.Dense);
        using (var model = RetrieverModel.Load(Sparse))
        {
            IndexWriter.WriteLearned(_directory["sparse-index"], model, Sparse, TinyModel.Documents);
        }

        using (var model = RetrieverModel.Load(Dense))
        {
            IndexWriter.WriteLearned(_directory["dense-index"], model, Dense, TinyModel.Documents);
        }

        IndexWriter.WriteBm25(_directory["words"], TinyModel.Documents);
    }

    public string Sparse { get; }

    public string Dense { get; }

    public string SparseIndex => _directory["sparse-index"];

    public string DenseIndex => _directory["dense-index"];

    public string Words => _directory["words"];

    public void Dispose() => _directory.Dispose();
}
