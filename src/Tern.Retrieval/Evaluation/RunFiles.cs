using System.Globalization;
using System.Text.Json;

namespace Tern.Retrieval;

/// <summary>Reading and writing of run files.</summary>
public sealed partial class Run
{
    /// <summary>
    /// Reads a run, .gz too; without a format, an object is JSON, lines of six fields or more are TREC and of three MS MARCO.
    /// A bad line or a document listed twice is an <see cref="InvalidDataException"/> with file:line.
    /// </summary>
    public static Run Read(string path, RunFormat? format = null)
    {
        var run = new Run();
        if ((format ?? (LineReader.IsJson(path) ? RunFormat.Json : null)) == RunFormat.Json)
        {
            run.ReadJson(path);
            return run;
        }

        var seen = new HashSet<(string, string)>();
        foreach ((int number, string line) in LineReader.Read(path))
        {
            if (line[0] == '#')
            {
                continue;
            }

            string[] fields = LineReader.Fields(line);
            format ??= fields.Length == 3 ? RunFormat.MsMarco : RunFormat.Trec;
            (string topic, string document, float score) = (format, fields) switch
            {
                (RunFormat.Trec, { Length: >= 6 }) => (fields[0], fields[2], LineReader.Score(path, number, fields[4])),
                (RunFormat.MsMarco, { Length: 3 }) => (fields[0], fields[1], -LineReader.Integer(path, number, fields[2], "rank")),
                (RunFormat.Scores, { Length: 3 }) => (fields[0], fields[1], LineReader.Score(path, number, fields[2])),
                (RunFormat.Trec, _) => throw LineReader.Invalid(path, number, $"a TREC run line has 6 fields (topic Q0 document rank score tag); this line has {fields.Length}"),
                _ => throw LineReader.Invalid(path, number, $"a line of a {format} run has 3 fields; this line has {fields.Length}"),
            };
            if (!seen.Add((topic, document)))
            {
                throw LineReader.Invalid(path, number, $"topic '{topic}' lists document '{document}' twice");
            }

            if (format == RunFormat.Trec)
            {
                run.Tag = fields[5];
            }

            run.Add(topic, document, score);
        }

        return run;
    }

    /// <summary>
    /// Writes the run in its total order, ranks from 1. Scores are the shortest text that reads back as the same float32,
    /// so that any version of trec_eval sees the same order.
    /// </summary>
    public void Write(string path, RunFormat format = RunFormat.Trec)
    {
        CheckDuplicates();
        if (format == RunFormat.Json)
        {
            WriteJson(path + ".tmp");
        }
        else
        {
            using var writer = new StreamWriter(path + ".tmp") { NewLine = "\n" };
            foreach (string topic in Topics)
            {
                int rank = 0;
                foreach (ScoredDocument document in this[topic])
                {
                    rank++;
                    string score = document.Score.ToString(CultureInfo.InvariantCulture);
                    writer.WriteLine(format switch
                    {
                        RunFormat.Trec => $"{Field(topic)} Q0 {Field(document.Id)} {rank} {score} {Field(Tag)}",
                        RunFormat.MsMarco => $"{Field(topic)}\t{Field(document.Id)}\t{rank}",
                        _ => $"{Field(topic)}\t{Field(document.Id)}\t{score}",
                    });
                }
            }
        }

        File.Move(path + ".tmp", path, overwrite: true);
    }

    private static string Field(string text) => text.Length > 0 && !text.Any(char.IsWhiteSpace)
        ? text
        : throw new ArgumentException($"'{text}' cannot be written to a run of columns: it is empty or holds white space; use the JSON format");

    private void ReadJson(string path)
    {
        var seen = new HashSet<(string, string)>();
        LineReader.ReadNestedJson(path, (topic, document, value) =>
        {
            if (!seen.Add((topic, document)))
            {
                throw LineReader.Invalid(path, 1, $"topic '{topic}' lists document '{document}' twice");
            }

            Add(topic, document, LineReader.Score(path, 1, value.GetRawText()));
        });
    }

    private void WriteJson(string path)
    {
        using FileStream stream = File.Create(path);
        using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        writer.WriteStartObject();
        foreach (string topic in Topics)
        {
            writer.WriteStartObject(topic);
            foreach (ScoredDocument document in this[topic])
            {
                writer.WriteNumber(document.Id, document.Score);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }
}
