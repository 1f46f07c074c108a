using System.Runtime.InteropServices;

namespace Tern.Retrieval;

/// <summary>BM25's constants; the defaults are Anserini's.</summary>
public readonly record struct Bm25Parameters(float K1, float B)
{
    public static readonly Bm25Parameters Default = new(0.9f, 0.4f);
}

/// <summary>
/// Builds a BM25 index from documents that are already analysed into terms. Weights are Lucene's BM25Similarity to the
/// bit: idf = ln(1 + (N − df + 0.5) / (df + 0.5)), times tf / (tf + k1·(1 − b + b·length / average length)), in float32
/// with Lucene's one-byte lengths; N counts documents that have a term. Not thread-safe.
/// </summary>
public sealed class Bm25IndexBuilder
{
    private readonly string _directory;
    private readonly Bm25Parameters _parameters;
    private readonly Dictionary<string, int> _termIds = new(StringComparer.Ordinal);
    private readonly List<int> _documentFrequencies = [];
    private readonly List<string> _externalIds = [];
    private readonly List<int> _lengths = [];
    private readonly List<int> _starts = [0];
    private readonly List<(int Term, int Frequency)> _entries = [];

    public Bm25IndexBuilder(string directory, Bm25Parameters? parameters = null)
    {
        _directory = directory;
        _parameters = parameters ?? Bm25Parameters.Default;
        if (!(_parameters.K1 >= 0f) || float.IsInfinity(_parameters.K1) || !(_parameters.B is >= 0f and <= 1f))
        {
            throw new ArgumentException($"BM25 needs k1 ≥ 0 and b within 0..1, not k1 {_parameters.K1}, b {_parameters.B}", nameof(parameters));
        }
    }

    /// <summary>Adds a document with its terms in any order, repeated as often as they occur.</summary>
    public void Add(string externalId, IReadOnlyList<string> terms)
    {
        var document = new Dictionary<int, int>(terms.Count);
        for (int i = 0; i < terms.Count; i++)
        {
            if (!_termIds.TryGetValue(terms[i], out int term))
            {
                term = _termIds.Count;
                _termIds.Add(terms[i], term);
                _documentFrequencies.Add(0);
            }

            CollectionsMarshal.GetValueRefOrAddDefault(document, term, out _)++;
        }

        foreach ((int term, int frequency) in document)
        {
            _documentFrequencies[term]++;
            _entries.Add((term, frequency));
        }

        _externalIds.Add(externalId);
        _lengths.Add(terms.Count);
        _starts.Add(_entries.Count);
    }

    public void Complete()
    {
        string[] words = [.. _termIds.Keys];
        WordTable.Sort(words);
        var sortedIds = new int[words.Length];
        for (int i = 0; i < words.Length; i++)
        {
            sortedIds[_termIds[words[i]]] = i;
        }

        int documentCount = _lengths.Count(length => length > 0);
        float[] idf = [.. _documentFrequencies.Select(df => (float)Math.Log(1 + ((documentCount - df + 0.5) / (df + 0.5))))];
        float[] inverseNorms = InverseNorms(documentCount);
        var builder = new SparseIndexBuilder(_directory, new SparseIndexOptions { VocabularySize = Math.Max(1, words.Length), Precision = ImpactPrecision.Float32, Fingerprint = Bm25Index.Fingerprint(_parameters) });
        var vector = new List<(int Term, float Weight)>();
        for (int document = 0; document < _externalIds.Count; document++)
        {
            vector.Clear();
            float inverseNorm = inverseNorms[LuceneLength.Encode(_lengths[document])];
            foreach ((int term, int frequency) in CollectionsMarshal.AsSpan(_entries)[_starts[document].._starts[document + 1]])
            {
                float weight = idf[term];
                vector.Add((sortedIds[term], Math.Max(float.Epsilon, weight - (weight / (1f + (frequency * inverseNorm))))));
            }

            vector.Sort((a, b) => a.Term.CompareTo(b.Term));
            builder.Add(_externalIds[document], new SparseVector([.. vector.Select(entry => entry.Term)], [.. vector.Select(entry => entry.Weight)]));
        }

        builder.SetWords(words.Length > 0 ? words : [""]);
        builder.Complete();
    }

    private float[] InverseNorms(int documentCount)
    {
        float averageLength = (float)(_lengths.Sum(length => (long)length) / (double)Math.Max(1, documentCount));
        var inverseNorms = new float[256];
        for (int code = 0; code < inverseNorms.Length; code++)
        {
            inverseNorms[code] = 1f / (_parameters.K1 * ((1 - _parameters.B) + (_parameters.B * LuceneLength.Decode((byte)code) / averageLength)));
        }

        return inverseNorms;
    }
}
