namespace Tern.Retrieval;

/// <summary>
/// Relevance judgements: for each topic, documents and their levels. Level 0 is judged and not relevant, below 0 is in
/// the pool and not judged. Topics keep the order in which they were added.
/// </summary>
public sealed class Qrels
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

    /// <summary>
    /// Reads TREC and MS MARCO lines (topic, ignored, document, level; any white space), BEIR (topic, document, level in
    /// tabs, with or without its header line) and JSON (<c>{topic: {document: level}}</c>), told apart by their content;
    /// .gz too. A bad line or a duplicate is an <see cref="InvalidDataException"/> with file:line.
    /// </summary>
    public static Qrels Read(string path)
    {
        var qrels = new Qrels();
        if (LineReader.IsJson(path))
        {
            LineReader.ReadNestedJson(path, (topic, document, value) =>
            {
                if (!value.TryGetInt32(out int level) || !qrels.TryAdd(topic, document, level))
                {
                    throw LineReader.Invalid(path, 1, $"topic '{topic}', document '{document}': {(value.TryGetInt32(out _) ? "judged twice" : $"the level {value} is not a whole number")}");
                }
            });
            return qrels;
        }

        bool isBeir = false;
        foreach ((int number, string line) in LineReader.Read(path))
        {
            if (line[0] == '#')
            {
                continue;
            }

            if (number == 1 && line.Split('\t') is [var first, _, "score"] && first.StartsWith("query", StringComparison.Ordinal))
            {
                isBeir = true;
                continue;
            }

            // BEIR's ids may hold spaces, so only tabs part its fields.
            string[] fields = isBeir ? line.Split('\t') : LineReader.Fields(line);
            (string topic, string document, string level) = fields switch
            {
                [var a, var b, var c] => (a, b, c),
                [var a, _, var b, var c] when !isBeir => (a, b, c),
                _ => throw LineReader.Invalid(path, number, $"a judgement has 3 fields (topic, document, level) or 4 (topic, 0, document, level); this line has {fields.Length}"),
            };
            if (!qrels.TryAdd(topic, document, LineReader.Integer(path, number, level, "level")))
            {
                throw LineReader.Invalid(path, number, $"topic '{topic}', document '{document}' is judged twice");
            }
        }

        return qrels;
    }

    /// <summary>Writes TREC lines: topic 0 document level.</summary>
    public void Write(string path)
    {
        using (var writer = new StreamWriter(path + ".tmp") { NewLine = "\n" })
        {
            foreach (string topic in _order)
            {
                foreach ((string document, int level) in _topics[topic])
                {
                    writer.WriteLine($"{topic} 0 {document} {level}");
                }
            }
        }

        File.Move(path + ".tmp", path, overwrite: true);
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
