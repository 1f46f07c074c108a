using Tern.Retrieval;

namespace Tern;

/// <summary>One kind of index with what it needs to turn query texts into hits. Safe for concurrent use.</summary>
internal interface IQueryEngine : IDisposable
{
    int DocumentCount { get; }

    long ByteCount { get; }

    string ExternalId(int docId);

    bool TryFind(string externalId, out int docId);

    /// <summary>What is stored of a document, valid until Dispose; empty where nothing is.</summary>
    ReadOnlySpan<byte> Payload(string id);

    /// <summary>The best k documents of many queries, in the order of the queries.</summary>
    Hit[][] SearchAll(IReadOnlyList<string> queries, int k, CancellationToken cancellationToken);

    /// <summary>The best documents for one query, as many as fit; returns how many. Once warm it allocates nothing.</summary>
    int Search(ReadOnlySpan<char> query, Span<Hit> hits, CancellationToken cancellationToken);

    IEncodedQuery Encode(string query);

    Task<IEncodedQuery> EncodeAsync(string query, CancellationToken cancellationToken);
}

/// <summary>A query as the index takes it.</summary>
internal interface IEncodedQuery
{
    /// <summary>All terms, heaviest first; empty for dense queries.</summary>
    IReadOnlyList<QueryTerm> Terms { get; }

    Hit[] Search(int k);

    /// <summary>A document's score and the shared terms, the largest contribution first.</summary>
    (float Score, IReadOnlyList<MatchedTerm> Terms, IReadOnlyList<int> TermIds) Explain(int docId);
}
