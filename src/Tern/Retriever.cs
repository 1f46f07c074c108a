using Tern.Retrieval;

namespace Tern;

/// <summary>
/// An index directory opened for questions in words: sparse and dense ones with the model that made them, BM25 without.
/// Safe for concurrent use; dispose it when no search is running.
/// </summary>
public sealed class Retriever : IDisposable
{
    private readonly IQueryEngine _engine;
    private readonly RetrieverModel? _model;
    private readonly bool _ownsModel;
    private int _disposed;

    private Retriever(IndexDescription description, IQueryEngine engine, RetrieverModel? model, bool ownsModel)
    {
        Description = description;
        _engine = engine;
        _model = model;
        _ownsModel = ownsModel;
    }

    public IndexDescription Description { get; }

    public int DocumentCount => _engine.DocumentCount;

    /// <summary>Size of the index on disk, stored documents not counted.</summary>
    public long ByteCount => _engine.ByteCount;

    /// <summary>The model that encodes queries; null for BM25.</summary>
    public RetrieverModel? Model => _model;

    /// <summary>Opens an index and loads its model, which is disposed with the retriever.</summary>
    /// <exception cref="InvalidDataException">The index is damaged, or its documents were encoded by another model than the one that is there now.</exception>
    public static Retriever Open(string directory, RetrieverOptions? options = null)
    {
        options ??= new RetrieverOptions();
        IndexDescription description = IndexDescription.Load(directory);
        CheckQuality(directory, description.Kind, options.Quality);
        if (description.Kind == IndexKind.Bm25)
        {
            return Open(directory, description, null, false, options);
        }

        string modelDirectory = options.ModelDirectory ?? description.ModelDirectory(directory);
        if (!Directory.Exists(modelDirectory))
        {
            throw new DirectoryNotFoundException($"{modelDirectory}: the model of the index {directory} is not there; say where it is now (--model)");
        }

        RetrieverModel model = RetrieverModel.Load(modelDirectory, options.Model);
        try
        {
            if (model.Fingerprint != description.Fingerprint)
            {
                throw new InvalidDataException($"{directory}: the index was built with another model (fingerprint {description.Fingerprint}) than {modelDirectory} ({model.Fingerprint}): give the right model (--model) or build the index again");
            }

            return Open(directory, description, model, true, options);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Opens an index with a model that is loaded already and stays the caller's.</summary>
    public static Retriever Open(string directory, RetrieverModel model)
    {
        IndexDescription description = IndexDescription.Load(directory);
        if (description.Kind != IndexKind.Bm25 && model.Fingerprint != description.Fingerprint)
        {
            throw new InvalidDataException($"{directory}: the index was built with another model (fingerprint {description.Fingerprint}) than the one given ({model.Fingerprint}): build the index again");
        }

        return Open(directory, description, model, false, new RetrieverOptions());
    }

    /// <summary>The best <paramref name="k"/> documents for one query, best first, with stored documents and matched terms.</summary>
    public IReadOnlyList<SearchResult> Search(string query, int k = 10)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        return Results(_engine.Encode(query), k);
    }

    /// <summary>As <see cref="Search(string, int)"/>; the caller's thread does not block while the query waits for its batch.</summary>
    public async Task<IReadOnlyList<SearchResult>> SearchAsync(string query, int k = 10, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        return Results(await _engine.EncodeAsync(query, cancellationToken).ConfigureAwait(false), k);
    }

    /// <summary>
    /// The best documents for one query into the caller's span, best first; returns how many there are. For a host that counts
    /// microseconds: once warm nothing is allocated on the way from the text to the hits. <see cref="ExternalId"/> names them.
    /// </summary>
    public int Search(ReadOnlySpan<char> query, Span<Hit> hits, CancellationToken cancellationToken = default) => _engine.Search(query, hits, cancellationToken);

    /// <summary>What was measured of searches for <paramref name="k"/> hits; null where <see cref="RetrieverOptions.Quality"/> is 1 and they are exact.</summary>
    public MeasuredRecall? Recall(int k = 10) => (_engine as SparseEngine)?.Quality?.Recall(k);

    /// <summary>The document's id in the corpus, for a hit's ordinal.</summary>
    public string ExternalId(int docId) => _engine.ExternalId(docId);

    /// <summary>Ids and scores for many queries, results in the order of the queries: what a run file needs.</summary>
    public IReadOnlyList<IReadOnlyList<ScoredDocument>> SearchAll(IReadOnlyList<string> queries, int k, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        return Array.ConvertAll(
            _engine.SearchAll(queries, k, cancellationToken),
            hits => Array.ConvertAll(hits, hit => new ScoredDocument(_engine.ExternalId(hit.DocId), hit.Score)));
    }

    /// <summary>Why a document scores what it scores for a query, whether it would be found or not.</summary>
    /// <exception cref="ArgumentException">No document of that id is in the index.</exception>
    public QueryExplanation Explain(string query, string documentId)
    {
        if (!_engine.TryFind(documentId, out int docId))
        {
            throw new ArgumentException($"no document '{documentId}' in this index of {DocumentCount} documents");
        }

        IEncodedQuery encoded = _engine.Encode(query);
        (float score, IReadOnlyList<MatchedTerm> terms, IReadOnlyList<int> termIds) = encoded.Explain(docId);
        StoredDocument? document = Document(documentId);
        var spans = new TextSpan?[terms.Count];
        if (document is not null && termIds.Count > 0)
        {
            TracedVector traced = _model!.EncodeSparseTraced(document.Text, RetrievalSide.Document);
            for (int i = 0; i < spans.Length; i++)
            {
                int at = traced.Vector.Terms.Span.BinarySearch(termIds[i]);
                spans[i] = at < 0 ? null : new TextSpan(traced.Origins[at].Start, traced.Origins[at].Length);
            }
        }

        return new QueryExplanation(new SearchResult(documentId, score, document, terms), encoded.Terms, spans);
    }

    /// <summary>What the index keeps of a document; null where it keeps nothing.</summary>
    public StoredDocument? Document(string id) =>
        _engine.Payload(id) is { IsEmpty: false } json ? StoredDocument.FromJson(json, $"stored document '{id}'") : null;

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        _engine.Dispose();
        if (_ownsModel)
        {
            _model?.Dispose();
        }
    }

    private IReadOnlyList<SearchResult> Results(IEncodedQuery query, int k) =>
    [
        .. query.Search(k).Select(hit =>
        {
            string id = _engine.ExternalId(hit.DocId);
            return new SearchResult(id, hit.Score, Document(id), query.Explain(hit.DocId).Terms);
        }),
    ];

    private static Retriever Open(string directory, IndexDescription description, RetrieverModel? model, bool ownsModel, RetrieverOptions options) =>
        new(description, description.Kind == IndexKind.Bm25 ? OpenBm25(directory, options) : OpenLearned(directory, description.Kind, model!, options), model, ownsModel);

    /// <exception cref="ArgumentException">The index is of a kind that is always searched exactly.</exception>
    private static void CheckQuality(string directory, IndexKind kind, double quality)
    {
        if (kind != IndexKind.Sparse && quality != 1)
        {
            throw new ArgumentException($"{directory}: a quality of {quality} for a {kind.ToString().ToLowerInvariant()} index, which is always searched exactly; only sparse ones with learned weights are calibrated");
        }
    }

    private static IQueryEngine OpenLearned(string directory, IndexKind kind, RetrieverModel model, RetrieverOptions options)
    {
        var index = SegmentedIndex.Open(directory, options.Verify);
        try
        {
            DocumentFilter? filter = options.Filter is { } expression ? index.Filter(expression) : null;
            return kind == IndexKind.Sparse
                ? new SparseEngine(index, model, new SparseSearchOptions { Algorithm = options.Algorithm, Filter = filter }, QualityChoice.Load(directory, index, options.Quality))
                : new DenseEngine(index, model, filter);
        }
        catch
        {
            index.Dispose();
            throw;
        }
    }

    private static Bm25Engine OpenBm25(string directory, RetrieverOptions options)
    {
        DocumentFilter? filter = null;
        if (options.Filter is { } expression)
        {
            using var segments = SegmentedIndex.Open(directory, options.Verify);
            filter = segments.Filter(expression);
        }

        var index = Bm25Index.Open(directory, options.Verify);
        try
        {
            return new Bm25Engine(index, DocumentStore.Open(directory, options.Verify), filter);
        }
        catch
        {
            index.Dispose();
            throw;
        }
    }
}
