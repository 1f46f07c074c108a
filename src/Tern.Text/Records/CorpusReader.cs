namespace Tern.Text;

/// <summary>
/// Streams a corpus: a BEIR directory (corpus.jsonl[.gz]), JSON Lines (BEIR, Tevatron, Anserini fields), MS MARCO TSV
/// (id, text; no quoting) or wiki TSV (header "id text title"); gzip by extension, "-" for standard input. A malformed line or an
/// id used twice is an <see cref="InvalidDataException"/> that starts with "file:line:".
/// </summary>
public static class CorpusReader
{
    public static IEnumerable<Document> Read(string path) => ReadFile(RecordFile.Resolve(path, "corpus.jsonl"));

    private static IEnumerable<Document> ReadFile(string path)
    {
        using var reader = new LineReader(path);
        string? first = reader.ReadLine();
        if (first == null)
        {
            yield break;
        }
        IEnumerable<Document> documents = RecordFile.IsJsonLines(path, first) ? JsonRecord.ReadAll(reader, first).Select(FromJson)
            : IsWikiHeader(first) ? ReadWiki(reader)
            : ReadTsv(reader, first);
        var ids = new UniqueIds(reader);
        foreach (Document document in documents)
        {
            ids.Add(document.Id);
            yield return document;
        }
    }

    internal static Document FromJson(JsonRecord record)
    {
        var document = new Document(
            record.Id("_id", "docid", "id", "doc_id"),
            record.OptionalString("title") ?? "",
            record.String("text", "document_text", "contents"))
        {
            Name = record.MetadataText("name"),
            Summary = record.MetadataText("summary"),
        };
        return record.MetadataFields("name", "summary") is { Count: > 0 } fields ? document with { Fields = fields } : document;
    }

    private static IEnumerable<Document> ReadTsv(LineReader reader, string? line)
    {
        for (; line != null; line = reader.ReadLine())
        {
            (string id, string text) = RecordFile.TwoFields(reader, line);
            yield return new Document(id, "", text);
        }
    }

    private static bool IsWikiHeader(string line) => line is "id\ttext\ttitle" or "pid\ttext\ttitle";

    private static IEnumerable<Document> ReadWiki(LineReader reader)
    {
        while (reader.ReadLine() is { } line)
        {
            string[] fields = line.Split('\t');
            if (fields.Length != 3 || fields[0].Length == 0)
            {
                throw reader.Malformed($"expected three fields (id, text, title), found {fields.Length}");
            }
            yield return new Document(fields[0], Unquote(fields[2]), Unquote(fields[1]));
        }
    }

    // The published wiki passages went through a CSV writer: fields with quotes are quoted and their quotes doubled.
    private static string Unquote(string field) =>
        field.Length >= 2 && field[0] == '"' && field[^1] == '"' ? field[1..^1].Replace("\"\"", "\"", StringComparison.Ordinal) : field;
}
