using Tern.Model;
using Tern.Text;
using Tern.Training;

namespace Tern.Pipelines.Teaching;

/// <summary>How a query and a document become the one text that a reranker reads, and examples a reranker's training set.</summary>
public static class PairTexts
{
    /// <summary>The text whose vector all pairs are compared with.</summary>
    public const string Direction = "relevant";

    /// <summary>What scores are divided by in training and in use: they range over ±1 / this.</summary>
    public const float Temperature = 0.05f;

    /// <summary>The template of a new reranker.</summary>
    public const string Template = "query: {query} document: {title} {text}";

    private const float Certain = 10f;

    /// <summary>The pair as the contract writes it.</summary>
    public static string Compose(RetrieverContract contract, string query, Document document) => contract.PairTemplate
        .Replace("{query}", query, StringComparison.Ordinal)
        .Replace("{title}", document.Title, StringComparison.Ordinal)
        .Replace("{text}", document.Text, StringComparison.Ordinal)
        .Trim();

    /// <summary>
    /// A training set in which each example's documents are its pairs and its query is the direction. Without a teacher the positive is
    /// scored as certain, so that following the scores is the cross-entropy over the example's own candidates.
    /// </summary>
    /// <param name="candidatesKept">Negatives kept of each example, the first: pairs are not shared by examples.</param>
    /// <param name="followsTeacher">Keep the examples' own scores.</param>
    /// <exception cref="InvalidDataException">An example names a document that the corpus lacks, or has no scores to follow.</exception>
    public static TrainingSet Set(IEnumerable<TrainingExample> examples, IEnumerable<Document> corpus, RetrieverContract contract, Action<string, RetrievalSide, List<int>> encode, int candidatesKept, bool followsTeacher, string source)
    {
        List<TrainingExample> kept = [.. examples.Select((e, i) => Pairs(e, i, candidatesKept, followsTeacher, source))];
        HashSet<string> named = [.. kept.SelectMany(e => e.NegativeIds.Prepend(e.PositiveId)).Select(IdOf)];
        Dictionary<string, Document> documents = new(StringComparer.Ordinal);
        foreach (Document document in corpus.Where(d => named.Contains(d.Id)))
        {
            documents[document.Id] = document;
        }

        return TrainingSet.Create(
            kept,
            kept.SelectMany(e => e.NegativeIds.Prepend(e.PositiveId).Select(pair => new Document(pair, "", Text(e, pair)))),
            (_, tokens) => encode(Direction, RetrievalSide.Query, tokens),
            (pair, tokens) => encode(pair.Text, RetrievalSide.Document, tokens),
            source);

        string Text(TrainingExample example, string pair) => documents.TryGetValue(IdOf(pair), out Document? document)
            ? Compose(contract, example.Query, document)
            : throw new InvalidDataException($"{source}: an example names document '{IdOf(pair)}', which the corpus does not have");
    }

    private static string IdOf(string pair) => pair[(pair.IndexOf('\t') + 1)..];

    private static TrainingExample Pairs(TrainingExample example, int index, int kept, bool followsTeacher, string source)
    {
        if (followsTeacher && (example.PositiveScore is null || example.NegativeScores is null))
        {
            throw new InvalidDataException($"{source}: example {index + 1} has no teacher scores; train with --loss infonce, or score the examples first (tern teach)");
        }

        int[] negatives = [.. Enumerable.Range(0, example.NegativeIds.Count).Where(i => example.NegativeIds[i] != example.PositiveId).DistinctBy(i => example.NegativeIds[i]).Take(kept)];
        string Pair(string id) => FormattableString.Invariant($"{index}\t{id}");
        return new TrainingExample(
            example.Query,
            Pair(example.PositiveId),
            [.. negatives.Select(i => Pair(example.NegativeIds[i]))],
            followsTeacher ? example.PositiveScore : Certain,
            [.. negatives.Select(i => followsTeacher ? example.NegativeScores![i] : -Certain)]);
    }
}
