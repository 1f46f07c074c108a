using Tern.Retrieval;
using Tern.Text;

namespace Tern.Pipelines.Teaching;

/// <summary>Scores that stand in a run; NaN for a document that it does not have.</summary>
public sealed class RunScorer : IPairScorer
{
    private readonly Run _run;
    private readonly Dictionary<string, string> _topics = new(StringComparer.Ordinal);
    private string _topic = "";
    private Dictionary<string, float> _scores = [];

    /// <param name="queries">Says which topic a query's text is.</param>
    public RunScorer(string name, Run run, IEnumerable<Query> queries)
    {
        Name = name;
        _run = run;
        foreach (Query query in queries)
        {
            _topics.TryAdd(query.Text, query.Id);
        }
    }

    public string Name { get; }

    public void Score(string query, IReadOnlyList<Document> documents, Span<float> scores)
    {
        string topic = _topics.GetValueOrDefault(query, "");
        if (topic != _topic)
        {
            _topic = topic;
            _scores = topic.Length > 0 && _run.Contains(topic) ? _run[topic].ToDictionary(d => d.Id, d => d.Score, StringComparer.Ordinal) : [];
        }

        for (int i = 0; i < scores.Length; i++)
        {
            scores[i] = _scores.GetValueOrDefault(documents[i].Id, float.NaN);
        }
    }

    public void Dispose()
    {
    }
}
