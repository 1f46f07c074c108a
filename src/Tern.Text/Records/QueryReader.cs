namespace Tern.Text;

/// <summary>
/// Streams queries: a BEIR directory (queries.jsonl[.gz]), JSON Lines (BEIR or Tevatron fields) or TSV (id, text; no quoting);
/// gzip by extension, "-" for standard input. A malformed line or an id used twice is an <see cref="InvalidDataException"/> that
/// starts with "file:line:".
/// </summary>
public static class QueryReader
{
    public static IEnumerable<Query> Read(string path) => ReadFile(RecordFile.Resolve(path, "queries.jsonl"));

    private static IEnumerable<Query> ReadFile(string path)
    {
        using var reader = new LineReader(path);
        string? first = reader.ReadLine();
        if (first == null)
        {
            yield break;
        }
        IEnumerable<Query> queries = RecordFile.IsJsonLines(path, first)
            ? JsonRecord.ReadAll(reader, first).Select(FromJson)
            : ReadTsv(reader, first);
        var ids = new UniqueIds(reader);
        foreach (Query query in queries)
        {
            ids.Add(query.Id);
            yield return query;
        }
    }

    private static Query FromJson(JsonRecord record) =>
        new(record.Id("_id", "query_id", "qid", "id"), record.String("text", "query_text", "query"));

    private static IEnumerable<Query> ReadTsv(LineReader reader, string? line)
    {
        for (; line != null; line = reader.ReadLine())
        {
            (string id, string text) = RecordFile.TwoFields(reader, line);
            yield return new Query(id, text);
        }
    }
}
