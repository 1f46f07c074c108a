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

    /// <summary>Sparse only: the weight that becomes the greatest 8-bit impact, for indexes that will be merged or take later documents; 0 takes the documents' greatest.</summary>
    public float LargestWeight { get; init; }

    /// <summary>What documents can be filtered by, from <see cref="Document.Fields"/>.</summary>
    public IReadOnlyList<FieldDefinition> Fields { get; init; } = [];

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
        var settings = new IndexSettings
        {
            Kind = kind == IndexKind.Sparse ? VectorKind.Sparse : VectorKind.Dense,
            Dimension = model.Dimension,
            Precision = kind == IndexKind.Sparse ? options.Precision : ImpactPrecision.Byte,
            Layout = options.Layout,
            Fingerprint = model.Fingerprint,
            HasPayload = true,
            Fields = options.Fields,
            LargestWeight = options.LargestWeight,
            Scan = kind == IndexKind.Dense ? options.Scan : DenseScan.Float32,
            MemoryByteCount = options.MemoryByteCount,
        };
        using var pending = new PendingDirectory(directory, IndexDescription.FileName);
        int count;
        using (var builder = new SegmentBuilder(pending.Path, settings))
        {
            DocumentEncoding.ForEach(model, documents, options.Store, options.Fields, document =>
            {
                builder.Add(document);
                options.Progress?.Invoke(builder.DocumentCount);
            }, cancellationToken);
            if (options.Reorder)
            {
                builder.Reorder(cancellationToken);
            }

            builder.Complete();
            count = builder.DocumentCount;
        }

        return Complete(pending, new IndexDescription(kind, count, relativeModel, model.Fingerprint));
    }

    /// <summary>Analyses titles and texts into English word stems and indexes them for BM25.</summary>
    public static IndexDescription WriteBm25(string directory, IEnumerable<Document> documents, IndexWriterOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new IndexWriterOptions();
        using var pending = new PendingDirectory(directory, IndexDescription.FileName);
        int count = 0;
        using (var stored = new DocumentStoreWriter(pending.Path))
        {
            var fields = new FieldsFile(options.Fields);
            var builder = new Bm25IndexBuilder(pending.Path, options.Bm25);
            List<string> terms = [];
            foreach (Document document in documents)
            {
                cancellationToken.ThrowIfCancellationRequested();
                string text = $"{document.Title} {document.Text}".Trim();
                terms.Clear();
                WordAnalyzer.English.Analyze(text, terms);
                builder.Add(document.Id, terms);
                stored.Add(document.Id, options.Store(document, text).ToJson());
                fields.Add(document.Id, DocumentEncoding.Fields(document, options.Fields));
                count++;
                options.Progress?.Invoke(count);
            }

            stored.Complete();
            fields.Write(pending.Path);
            builder.Complete();
        }

        return Complete(pending, new IndexDescription(IndexKind.Bm25, count, "", ""));
    }

    /// <summary>
    /// Encodes documents and puts them into an index that is there, in the place of those of the same id; they are committed,
    /// and searched, every <paramref name="commitEvery"/> documents. Returns how many they were.
    /// </summary>
    /// <exception cref="InvalidDataException">The index was built with another model, or it is one that cannot be updated.</exception>
    public static int Add(string directory, RetrieverModel model, IEnumerable<Document> documents, IndexWriterOptions? options = null, int commitEvery = 1000, CancellationToken cancellationToken = default)
    {
        options ??= new IndexWriterOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(commitEvery, 1);
        using SegmentedIndexWriter writer = SegmentedIndexWriter.Open(directory);
        if (writer.Settings.Fingerprint != model.Fingerprint)
        {
            throw new InvalidDataException($"{directory}: the index was built with another model (fingerprint {writer.Settings.Fingerprint}) than the one given ({model.Fingerprint})");
        }

        int count = 0;
        DocumentEncoding.ForEach(model, documents, options.Store, writer.Settings.Fields, document =>
        {
            writer.Upsert(writer.Settings.HasPayload ? document : document with { Payload = default });
            if (++count % commitEvery == 0)
            {
                writer.Commit();
            }

            options.Progress?.Invoke(count);
        }, cancellationToken);
        writer.Merge(cancellationToken);
        return count;
    }

    /// <summary>Joins indexes that were built apart (<see cref="IndexMerge"/>) into a new directory, which refers to the model of the first.</summary>
    public static IndexDescription Merge(string directory, IReadOnlyList<string> shards, IndexWriterOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new IndexWriterOptions();
        IndexDescription first = IndexDescription.Load(shards[0]);
        string model = first.Model.Length == 0 ? "" : Path.GetRelativePath(Path.GetFullPath(directory), first.ModelDirectory(shards[0]));
        using var pending = new PendingDirectory(directory, IndexDescription.FileName);
        int count = IndexMerge.Write(pending.Path, shards, options.Reorder, options.Progress, cancellationToken);
        return Complete(pending, first with { DocumentCount = count, Model = model });
    }

    private static IndexDescription Complete(PendingDirectory pending, IndexDescription description)
    {
        description.Save(pending.Path);
        pending.Complete();
        return description;
    }
}
