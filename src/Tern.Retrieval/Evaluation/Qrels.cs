namespace Tern.Retrieval;

/// <summary>
/// Relevance judgements: for each topic, documents and their levels. Level 0 is judged and not relevant, below 0 is in
/// the pool and not judged. Topics keep the order in which they were added.
/// </summary>
public sealed partial class Qrels
{
    private readonly Dictionary<string, Dictionary<string, int>> _topics = new(StringComparer.Ordinal);
    private readonly List<string> _order = [];

    public IReadOnlyList<string> Topics => _order;

    /// <summary>The judgements of a topic, empty for an unknown one.</summary>
    public IReadOnlyDictionary<string, int> this[string topic] => _topics.TryGetValue(topic, out Dictionary<string, int>? documents) ? documents : [];

    public bool Contains(string topic) => _topics.ContainsKey(topic);

    /// <summary>A second judgement of one document is an <see cref="ArgumentException"/>.</summary>
    public void Add(string topic, string document, int level)
    {
        if (!TryAdd(topic, document, level))
        {
            throw new ArgumentException($"topic '{topic}', document '{document}' is judged twice", nameof(document));
        }
    }

    private bool TryAdd(string topic, string document, int level)
    {
        if (!_topics.TryGetValue(topic, out Dictionary<string, int>? documents))
        {
            _topics.Add(topic, documents = new Dictionary<string, int>(StringComparer.Ordinal));
            _order.Add(topic);
        }

        return documents.TryAdd(document, level);
    }
}
