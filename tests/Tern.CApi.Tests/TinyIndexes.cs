using Tern.Model;
using Tern.Tests;

namespace Tern.CApi.Tests;

/// <summary>A sparse, a dense and a BM25 index over the same few documents, and the sparse one's model.</summary>
public sealed class TinyIndexes : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public TinyIndexes()
    {
        foreach (RepresentationKind kind in Enum.GetValues<RepresentationKind>())
        {
            string path = TinyModel.Write(_directory["model-" + kind], kind);
            using var model = RetrieverModel.Load(path);
            IndexWriter.WriteLearned(_directory["index-" + kind], model, path, TinyModel.Documents);
        }

        IndexWriter.WriteBm25(Bm25, TinyModel.Documents);
    }

    public string Model => _directory["model-" + RepresentationKind.Sparse];

    public string Sparse => _directory["index-" + RepresentationKind.Sparse];

    public string Dense => _directory["index-" + RepresentationKind.Dense];

    public string Bm25 => _directory["index-bm25"];

    public void Dispose() => _directory.Dispose();
}
