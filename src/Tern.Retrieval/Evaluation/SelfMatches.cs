namespace Tern.Retrieval;

/// <summary>
/// Where topics are themselves documents of the collection (ArguAna, Quora), each finds itself first and nothing is
/// learned from it: BEIR drops such matches. Elsewhere equal ids are chance (FiQA numbers both) and dropping them is wrong.
/// </summary>
public static class SelfMatches
{
    /// <summary>
    /// True when at least half of the judged topics of the run list a document of their own id and none is judged
    /// relevant to itself: the topics are documents.
    /// </summary>
    public static bool TopicsAreDocuments(Qrels qrels, Run run)
    {
        string[] topics = [.. run.Topics.Where(qrels.Contains)];
        int found = topics.Count(topic => run[topic].Any(document => document.Id == topic));
        return found > 0 && 2 * found >= topics.Length && !topics.Any(topic => qrels[topic].TryGetValue(topic, out int level) && level > 0);
    }
}
