using System.Text;

namespace Tern.Retrieval;

/// <summary>A document of a run with its score.</summary>
public readonly record struct ScoredDocument(string Id, float Score);

/// <summary>
/// Ranked documents for each topic, under one total order: score (float32) descending, then id descending by UTF-8
/// bytes, as trec_eval reads a run; other orders must be asked for. Topics keep the order in which they were added.
/// </summary>
public sealed partial class Run
{
    private readonly Dictionary<string, List<RunEntry>> _topics = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ScoredDocument[]> _ranked = new(StringComparer.Ordinal);
    private readonly List<string> _order = [];

    public Run(string tag = "tern") => Tag = tag;

    /// <summary>The last column of a TREC file; its last line's.</summary>
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
                ranked = Array.ConvertAll(Ranked(topic, TieOrder.Trec9), entry => new ScoredDocument(entry.Id, (float)entry.Score));
                _ranked[topic] = ranked;
            }

            return ranked;
        }
    }

    /// <summary>The ids of a topic's documents in another order than the run's own.</summary>
    public IReadOnlyList<string> Ranking(string topic, TieOrder order) => Array.ConvertAll(Ranked(topic, order), entry => entry.Id);

    /// <summary>Makes the topic known, even if nothing is found for it.</summary>
    public void AddTopic(string topic) => Documents(topic);

    /// <summary>Adds one document; the same document twice under a topic is reported when the run is evaluated or written.</summary>
    public void Add(string topic, string document, float score)
    {
        if (!float.IsFinite(score))
        {
            throw new ArgumentException($"topic '{topic}', document '{document}': the score {score} is not a finite number", nameof(score));
        }

        Add(topic, document, score, rank: null);
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
        foreach ((string topic, List<RunEntry> documents) in _topics)
        {
            removed += documents.RemoveAll(document => document.Id == topic);
        }

        _ranked.Clear();
        return removed;
    }

    /// <summary>How many topics list a document of their own id.</summary>
    public int CountIdenticalIds() => _topics.Count(topic => topic.Value.Exists(document => document.Id == topic.Key));

    /// <summary>A topic's documents sorted; the file's own rank is the place in the file where it has no rank column.</summary>
    internal RunEntry[] Ranked(string topic, TieOrder order)
    {
        RunEntry[] entries = _topics.TryGetValue(topic, out List<RunEntry>? documents) ? [.. documents] : [];
        if (order == TieOrder.Rank)
        {
            return [.. entries.OrderBy(entry => entry.Rank)];
        }

        double[] scores = Array.ConvertAll(entries, entry => order == TieOrder.Trec10 ? entry.Score : (float)entry.Score);
        byte[][] ids = Array.ConvertAll(entries, entry => Encoding.UTF8.GetBytes(entry.Id));
        int direction = order == TieOrder.IdAscending ? 1 : -1;
        int[] places = [.. Enumerable.Range(0, entries.Length)];
        Array.Sort(places, (a, b) => scores[a] != scores[b] ? scores[b].CompareTo(scores[a]) : direction * ids[a].AsSpan().SequenceCompareTo(ids[b]));
        return Array.ConvertAll(places, i => entries[i]);
    }

    /// <summary>Throws <see cref="ArgumentException"/> when a topic lists a document twice.</summary>
    internal void CheckDuplicates()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach ((string topic, List<RunEntry> documents) in _topics)
        {
            seen.Clear();
            foreach (RunEntry document in documents)
            {
                if (!seen.Add(document.Id))
                {
                    throw new ArgumentException($"topic '{topic}' lists document '{document.Id}' twice");
                }
            }
        }
    }

    private void Add(string topic, string document, double score, int? rank)
    {
        List<RunEntry> documents = Documents(topic);
        documents.Add(new RunEntry(document, score, rank ?? documents.Count + 1));
        _ranked.Remove(topic);
    }

    private List<RunEntry> Documents(string topic)
    {
        if (!_topics.TryGetValue(topic, out List<RunEntry>? documents))
        {
            _topics.Add(topic, documents = []);
            _order.Add(topic);
        }

        return documents;
    }
}

/// <summary>A document as its file gives it.</summary>
internal readonly record struct RunEntry(string Id, double Score, int Rank);
