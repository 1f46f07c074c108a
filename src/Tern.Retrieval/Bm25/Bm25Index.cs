using System.Globalization;

namespace Tern.Retrieval;

/// <summary>
/// BM25 over the inverted index: float32 weights and a table of words. Queries are analysed terms; a term that occurs
/// twice counts twice. Any number of threads may search at once; disposing it disposes <see cref="Index"/>.
/// </summary>
public sealed class Bm25Index : IDisposable
{
    private readonly WordTable _words;

    private Bm25Index(SparseIndex index, WordTable words)
    {
        Index = index;
        _words = words;
    }

    /// <summary>The weights behind it; term ids are places in the sorted words.</summary>
    public SparseIndex Index { get; }

    public int DocumentCount => Index.DocumentCount;

    public long ByteCount => Index.ByteCount;

    public static Bm25Index Open(string directory, bool verify = true)
    {
        SparseIndex index = SparseIndex.Open(directory, verify);
        if (index.Words is not { } words)
        {
            index.Dispose();
            throw new InvalidDataException($"{directory}: the index has no words: it holds learned vectors, not BM25; build it with 'tern index --bm25'");
        }

        return new Bm25Index(index, words);
    }

    /// <summary>The query's known terms with their frequencies as weights.</summary>
    public SparseVector Query(IReadOnlyList<string> terms)
    {
        var known = new List<(int Term, float Weight)>(terms.Count);
        for (int i = 0; i < terms.Count; i++)
        {
            int term = _words.Find(terms[i]);
            if (term >= 0)
            {
                known.Add((term, 1f));
            }
        }

        return SparseVector.FromPairs(known);
    }

    /// <summary>The best <paramref name="k"/> documents that share a term with the query.</summary>
    public Hit[] Search(IReadOnlyList<string> terms, int k) => Index.Search(Query(terms), k);

    public string ExternalId(int docId) => Index.ExternalId(docId);

    /// <summary>The id of an analysed term; false for one that no document has.</summary>
    public bool TryFindTerm(ReadOnlySpan<char> word, out int term) => (term = _words.Find(word)) >= 0;

    /// <summary>The word of a term id.</summary>
    public string Word(int term) => _words.Word(term);

    public Explanation Explain(int docId, IReadOnlyList<string> terms) => Index.Explain(docId, Query(terms));

    public void Dispose() => Index.Dispose();

    internal static string Fingerprint(Bm25Parameters parameters) =>
        string.Create(CultureInfo.InvariantCulture, $"bm25 k1={parameters.K1} b={parameters.B}");
}
