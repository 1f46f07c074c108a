namespace Tern.Text;

/// <summary>
/// Streams training examples from JSON Lines ([.gz], "-" for standard input), told apart by their fields:
/// question/pos_pid/neg_pids[/pos_score/neg_scores]; query/docids/scores, the first document being the relevant one; Tevatron's
/// query_text/positive_document_ids/negative_document_ids; Tevatron's query/positive_passages/negative_passages (by docid).
/// Of several positives each makes an example. A malformed line is an <see cref="InvalidDataException"/>, "file:line: ...".
/// </summary>
public static class TrainingExampleReader
{
    public static IEnumerable<TrainingExample> Read(string path) => ReadLines(path).SelectMany(FromJson);

    /// <summary>The passages that lines of the query/positive_passages/negative_passages shape carry, each id once.</summary>
    public static IEnumerable<Document> ReadInlinePassages(string path)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonRecord record in ReadLines(path).Where(r => r.HasArray("positive_passages")))
        {
            foreach (JsonRecord passage in record.Objects("positive_passages").Concat(OptionalObjects(record, "negative_passages")))
            {
                Document document = CorpusReader.FromJson(passage);
                if (seen.Add(document.Id))
                {
                    yield return document;
                }
            }
        }
    }

    private static IEnumerable<JsonRecord> ReadLines(string path)
    {
        if (path != "-" && !File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: no such file", path);
        }
        return Lines(path);

        static IEnumerable<JsonRecord> Lines(string path)
        {
            using var reader = new LineReader(path);
            foreach (JsonRecord record in JsonRecord.ReadAll(reader, reader.ReadLine()))
            {
                yield return record;
            }
        }
    }

    private static IEnumerable<TrainingExample> FromJson(JsonRecord record) =>
        record.Has("pos_pid") ? [FromReference(record)]
        : record.HasArray("docids") ? [FromScoredList(record)]
        : record.HasArray("positive_document_ids") ? FromTevatron(record,
            record.Ids("positive_document_ids"),
            record.HasArray("negative_document_ids") ? record.Ids("negative_document_ids") : [])
        : record.HasArray("positive_passages") ? FromTevatron(record,
            [.. record.Objects("positive_passages").Select(PassageId)],
            [.. OptionalObjects(record, "negative_passages").Select(PassageId)])
        : throw record.Malformed("no known training shape: expected \"pos_pid\", \"docids\", \"positive_document_ids\" or \"positive_passages\"");

    private static TrainingExample FromReference(JsonRecord record)
    {
        List<string> negatives = record.HasArray("neg_pids") ? record.Ids("neg_pids") : [];
        float? positiveScore = record.OptionalNumber("pos_score");
        List<float>? negativeScores = record.HasArray("neg_scores") ? record.Numbers("neg_scores") : null;
        if (negatives.Count > 0 && (positiveScore == null) != (negativeScores == null))
        {
            throw record.Malformed("\"pos_score\" and \"neg_scores\" must both be there or both be missing");
        }
        if (negativeScores != null && negativeScores.Count != negatives.Count)
        {
            throw record.Malformed($"{negatives.Count} neg_pids but {negativeScores.Count} neg_scores");
        }
        return new TrainingExample(record.String("question", "query"), record.Id("pos_pid"), negatives, positiveScore, negativeScores);
    }

    private static TrainingExample FromScoredList(JsonRecord record)
    {
        List<string> ids = record.Ids("docids");
        List<float> scores = record.Numbers("scores");
        if (ids.Count == 0 || ids.Count != scores.Count)
        {
            throw record.Malformed($"{ids.Count} docids but {scores.Count} scores; the first of at least one is the relevant passage");
        }
        return new TrainingExample(record.String("query", "question"), ids[0], ids[1..], scores[0], scores[1..]);
    }

    private static IEnumerable<TrainingExample> FromTevatron(JsonRecord record, List<string> positives, List<string> negatives)
    {
        string query = record.String("query_text", "query");
        return positives.Count == 0
            ? throw record.Malformed("an example without a positive")
            : positives.Select(positive => new TrainingExample(query, positive, negatives));
    }

    private static string PassageId(JsonRecord passage) => passage.Id("docid", "_id", "id");

    private static List<JsonRecord> OptionalObjects(JsonRecord record, string name) => record.HasArray(name) ? record.Objects(name) : [];
}
