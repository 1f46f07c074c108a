using Tern.Model;
using Tern.Retrieval;
using Tern.Text;

namespace Tern;

/// <summary>What an index is built with besides its documents.</summary>
public sealed record IndexWriterOptions
{
    /// <summary>What to keep of a document for showing, given the text that is indexed.</summary>
    public Func<Document, string, StoredDocument> Store { get; init; } = StoredDocument.Of;

    /// <summary>Sparse only.</summary>
    public ImpactPrecision Precision { get; init; } = ImpactPrecision.Byte;

    /// <summary>Sparse only.</summary>
    public PostingLayout Layout { get; init; } = PostingLayout.Packed;

    /// <summary>Sparse only: order the documents by recursive graph bisection.</summary>
    public bool Reorder { get; init; }

    /// <summary>Sparse only: <see cref="SparseIndexOptions.MemoryByteCount"/>. Excludes <see cref="Reorder"/>.</summary>
    public long MemoryByteCount { get; init; }

    /// <summary>Dense only: which narrow copy a search reads first. Hits and scores are the same with any.</summary>
    public DenseScan Scan { get; init; } = DenseScan.Int8;

    /// <summary>BM25 only.</summary>
    public Bm25Parameters Bm25 { get; init; } = Bm25Parameters.Default;

    /// <summary>Called with the number of documents indexed so far, on the building thread.</summary>
    public Action<int>? Progress { get; init; }
}

/// <summary>
/// Builds the directories that <see cref="Retriever"/> opens: index, stored documents and description. A directory
/// appears when it is complete and replaces an earlier index there.
/// </summary>
public static class IndexWriter
{
    /// <summary>Encodes and indexes documents, sparse or dense as the model is. The description refers to <paramref name="modelDirectory"/>.</summary>
    public static IndexDescription WriteLearned(string directory, RetrieverModel model, string modelDirectory, IEnumerable<Document> documents, IndexWriterOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new IndexWriterOptions();
        IndexKind kind = model.Contract.Kind == RepresentationKind.Sparse ? IndexKind.Sparse : IndexKind.Dense;
        string relativeModel = Path.GetRelativePath(Path.GetFullPath(directory), Path.GetFullPath(modelDirectory));
        return Write(directory, new IndexDescription(kind, 0, relativeModel, model.Fingerprint), options, (path, stored) =>
        {
            if (kind == IndexKind.Sparse)
            {
                using var builder = new SparseIndexBuilder(path, new SparseIndexOptions { VocabularySize = model.Dimension, Precision = options.Precision, Layout = options.Layout, MemoryByteCount = options.MemoryByteCount, Fingerprint = model.Fingerprint });
                model.EncodeSparseDocuments(documents, (document, vector) =>
                {
                    builder.Add(document.Id, vector);
                    stored.Add(document, model.Contract.Compose(document));
                }, cancellationToken);
                if (options.Reorder)
                {
                    builder.Reorder(cancellationToken: cancellationToken);
                }

                builder.Complete();
            }
            else
            {
                using var builder = new DenseIndexBuilder(path, model.Dimension, model.Fingerprint, options.Scan);
                model.EncodeDenseDocuments(documents, (document, vector) =>
                {
                    builder.Add(document.Id, vector);
                    stored.Add(document, model.Contract.Compose(document));
                }, cancellationToken);
                builder.Complete();
            }
        });
    }

    /// <summary>Analyses titles and texts into English word stems and indexes them for BM25.</summary>
    public static IndexDescription WriteBm25(string directory, IEnumerable<Document> documents, IndexWriterOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new IndexWriterOptions();
        return Write(directory, new IndexDescription(IndexKind.Bm25, 0, "", ""), options, (path, stored) =>
        {
            var builder = new Bm25IndexBuilder(path, options.Bm25);
            List<string> terms = [];
            foreach (Document document in documents)
            {
                cancellationToken.ThrowIfCancellationRequested();
                string text = $"{document.Title} {document.Text}".Trim();
                terms.Clear();
                WordAnalyzer.English.Analyze(text, terms);
                builder.Add(document.Id, terms);
                stored.Add(document, text);
            }

            builder.Complete();
        });
    }

    private static IndexDescription Write(string directory, IndexDescription description, IndexWriterOptions options, Action<string, StoredDocuments> build)
    {
        using var pending = new PendingDirectory(directory, IndexDescription.FileName);
        using var stored = new StoredDocuments(pending.Path, options);
        build(pending.Path, stored);
        stored.Complete();
        description = description with { DocumentCount = stored.Count };
        description.Save(pending.Path);
        pending.Complete();
        return description;
    }

    private sealed class StoredDocuments(string directory, IndexWriterOptions options) : IDisposable
    {
        private readonly DocumentStoreWriter _writer = new(directory);

        public int Count { get; private set; }

        public void Add(Document document, string text)
        {
            _writer.Add(document.Id, options.Store(document, text).ToJson());
            Count++;
            options.Progress?.Invoke(Count);
        }

        public void Complete() => _writer.Complete();

        public void Dispose() => _writer.Dispose();
    }
}
