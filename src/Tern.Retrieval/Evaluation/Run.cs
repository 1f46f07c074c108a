using System.Text;

namespace Tern.Retrieval;

/// <summary>A document of a run with its score.</summary>
public readonly record struct ScoredDocument(string Id, float Score);

/// <summary>How a run is laid out in a file.</summary>
public enum RunFormat
{
    /// <summary>Topic, Q0, document, rank, score, tag; any white space; further columns are ignored.</summary>
    Trec,

    /// <summary>MS MARCO: topic, document, rank; a document's score is read as minus its rank.</summary>
    MsMarco,

    /// <summary>Topic, document, score.</summary>
    Scores,

    /// <summary><c>{topic: {document: score}}</c>.</summary>
    Json,
}

/// <summary>
/// Ranked documents for each topic, under one total order: score (float32) descending, then id descending by UTF-8
/// bytes, as trec_eval reads a run; a rank column is never believed. Topics keep the order in which they were added.
/// </summary>
public sealed partial class Run
{
    private readonly Dictionary<string, List<ScoredDocument>> _topics = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ScoredDocument[]> _ranked = new(StringComparer.Ordinal);
    private readonly List<string> _order = [];

    public Run(string tag = "tern") => Tag = tag;

    /// <summary>The last column of a TREC file.</summary>
    public string Tag { get; private set; }

    public IReadOnlyList<string> Topics => _order;

    public bool Contains(string topic) => _topics.ContainsKey(topic);

    /// <summary>The documents of a topic in order; empty for an unknown topic.</summary>
    public IReadOnlyList<ScoredDocument> this[string topic]
    {
        get
        {
            if (!_ranked.TryGetValue(topic, out ScoredDocument[]? ranked))
            {
                ranked = _topics.TryGetValue(topic, out List<ScoredDocument>? documents) ? [.. documents] : [];
                byte[][] ids = Array.ConvertAll(ranked, document => Encoding.UTF8.GetBytes(document.Id));
                int[] order = [.. Enumerable.Range(0, ranked.Length)];
                Array.Sort(order, (a, b) => ranked[a].Score != ranked[b].Score ? ranked[b].Score.CompareTo(ranked[a].Score) : ids[b].AsSpan().SequenceCompareTo(ids[a]));
                ranked = Array.ConvertAll(order, i => ranked[i]);
                _ranked[topic] = ranked;
            }

            return ranked;
        }
    }

    /// <summary>Makes the topic known, even if nothing is found for it.</summary>
    public void AddTopic(string topic)
    {
        if (_topics.TryAdd(topic, []))
        {
            _order.Add(topic);
        }
    }

    /// <summary>Adds one document; the same document twice under a topic is reported when the run is evaluated or written.</summary>
    public void Add(string topic, string document, float score)
    {
        if (!float.IsFinite(score))
        {
            throw new ArgumentException($"topic '{topic}', document '{document}': the score {score} is not a finite number", nameof(score));
        }

        AddTopic(topic);
        _topics[topic].Add(new ScoredDocument(document, score));
        _ranked.Remove(topic);
    }

    /// <summary>Adds a search result, translating documents to their ids.</summary>
    public void Add(string topic, ReadOnlySpan<Hit> hits, Func<int, string> externalId)
    {
        AddTopic(topic);
        foreach (Hit hit in hits)
        {
            Add(topic, externalId(hit.DocId), hit.Score);
        }
    }

    /// <summary>
    /// Removes documents whose id is that of their topic (ArguAna's and Quora's rule in BEIR; wrong for other collections)
    /// and returns how many there were.
    /// </summary>
    public int RemoveIdenticalIds()
    {
        int removed = 0;
        foreach ((string topic, List<ScoredDocument> documents) in _topics)
        {
            removed += documents.RemoveAll(document => document.Id == topic);
        }

        _ranked.Clear();
        return removed;
    }

    /// <summary>Throws <see cref="ArgumentException"/> when a topic lists a document twice.</summary>
    internal void CheckDuplicates()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach ((string topic, List<ScoredDocument> documents) in _topics)
        {
            seen.Clear();
            foreach (ScoredDocument document in documents)
            {
                if (!seen.Add(document.Id))
                {
                    throw new ArgumentException($"topic '{topic}' lists document '{document.Id}' twice");
                }
            }
        }
    }
}
