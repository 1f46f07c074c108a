using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Tern.Text;

/// <summary>Writes a corpus as BEIR JSON Lines or, by extension, TSV (no titles, no tabs or line ends in texts); .gz compresses.</summary>
public static class CorpusWriter
{
    public static void Write(string path, IEnumerable<Document> documents)
    {
        if (RecordFile.IsTsv(path))
        {
            RecordLines.WriteTsv(path, documents.Select(d => d.Title.Length == 0
                ? (d.Id, d.Text)
                : throw new ArgumentException($"document '{d.Id}' has a title, which TSV cannot hold: write .jsonl")));
            return;
        }
        RecordLines.WriteJson(path, documents, (json, document) =>
        {
            json.WriteString("_id", document.Id);
            json.WriteString("title", document.Title);
            json.WriteString("text", document.Text);
            if (document.Name.Length > 0 || document.Summary.Length > 0)
            {
                json.WriteStartObject("metadata");
                json.WriteString("name", document.Name);
                json.WriteString("summary", document.Summary);
                json.WriteEndObject();
            }
        });
    }
}

/// <summary>Writes queries as BEIR JSON Lines or, by extension, TSV; .gz compresses.</summary>
public static class QueryWriter
{
    public static void Write(string path, IEnumerable<Query> queries)
    {
        if (RecordFile.IsTsv(path))
        {
            RecordLines.WriteTsv(path, queries.Select(q => (q.Id, q.Text)));
            return;
        }
        RecordLines.WriteJson(path, queries, (json, query) =>
        {
            json.WriteString("_id", query.Id);
            json.WriteString("text", query.Text);
        });
    }
}

/// <summary>Writes training examples as question/pos_pid/neg_pids lines, with pos_score/neg_scores where there are scores.</summary>
public static class TrainingExampleWriter
{
    public static void Write(string path, IEnumerable<TrainingExample> examples) => RecordLines.WriteJson(path, examples, WriteFields);

    /// <summary>The fields of one example, inside an object that the caller begins and ends.</summary>
    public static void WriteFields(Utf8JsonWriter json, TrainingExample example)
    {
        json.WriteString("question", example.Query);
        json.WriteString("pos_pid", example.PositiveId);
        json.WriteStartArray("neg_pids");
        foreach (string id in example.NegativeIds)
        {
            json.WriteStringValue(id);
        }
        json.WriteEndArray();
        if (example.PositiveScore is { } score)
        {
            json.WriteNumber("pos_score", score);
        }
        if (example.NegativeScores is { } scores)
        {
            json.WriteStartArray("neg_scores");
            foreach (float negative in scores)
            {
                json.WriteNumberValue(negative);
            }
            json.WriteEndArray();
        }
    }
}

internal static class RecordLines
{
    // Texts stay readable: nothing is escaped that JSON does not ask for.
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void WriteJson<T>(string path, IEnumerable<T> records, Action<Utf8JsonWriter, T> writeFields) => RecordFile.Write(path, stream =>
    {
        using var json = new Utf8JsonWriter(stream, Readable);
        foreach (T record in records)
        {
            json.WriteStartObject();
            writeFields(json, record);
            json.WriteEndObject();
            json.Flush();
            stream.WriteByte((byte)'\n');
            json.Reset();
        }
    });

    public static void WriteTsv(string path, IEnumerable<(string Id, string Text)> records) => RecordFile.Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(false), 1 << 16, leaveOpen: true);
        foreach ((string id, string text) in records)
        {
            if (id.Length == 0 || id.AsSpan().ContainsAny('\t', '\n', '\r') || text.AsSpan().ContainsAny('\t', '\n', '\r'))
            {
                throw new ArgumentException($"record '{id}' is empty-named or holds a tab or line end, which TSV cannot: write .jsonl");
            }
            writer.Write(id);
            writer.Write('\t');
            writer.Write(text);
            writer.Write('\n');
        }
    });
}
