using System.Globalization;

namespace Tern.Retrieval;

/// <summary>How judgements are laid out in a file.</summary>
public enum QrelsFormat
{
    /// <summary>Topic, 0, document, level; any white space.</summary>
    Trec,

    /// <summary>The same, parted by tabs.</summary>
    MsMarco,

    /// <summary>Topic, document, level, parted by tabs under a header line; ids may hold spaces.</summary>
    Beir,

    /// <summary><c>{topic: {document: level}}</c>.</summary>
    Json,
}

/// <summary>Reading and writing of judgements.</summary>
public sealed partial class Qrels
{
    private const string BeirHeader = "query-id\tcorpus-id\tscore";

    /// <summary>How the file was laid out; TREC for judgements that were not read.</summary>
    public QrelsFormat Format { get; private set; }

    /// <summary>
    /// Reads judgements, gzip and LZ4 too, "-" for standard input. Without a format, an object is JSON, a header line or
    /// lines of three fields are BEIR, lines of four TREC or MS MARCO. A bad line or a document judged twice is an
    /// <see cref="InvalidDataException"/> with file:line.
    /// </summary>
    public static Qrels Read(string path, QrelsFormat? format = null)
    {
        using var input = EvaluationInput.Open(path);
        return Read(input, format);
    }

    /// <summary>Writes judgements, gzip where the name ends in .gz.</summary>
    public void Write(string path, QrelsFormat format = QrelsFormat.Trec) => EvaluationOutput.Write(path, stream =>
    {
        if (format == QrelsFormat.Json)
        {
            NestedJson.Write(stream, Topics, topic => _topics[topic].Select(judged => (judged.Key, judged.Value.ToString(CultureInfo.InvariantCulture))));
            return;
        }

        using var writer = new StreamWriter(stream, bufferSize: 1 << 16, leaveOpen: true) { NewLine = "\n" };
        if (format == QrelsFormat.Beir)
        {
            writer.WriteLine(BeirHeader);
        }

        foreach (string topic in _order)
        {
            foreach ((string document, int level) in _topics[topic])
            {
                writer.WriteLine(format switch
                {
                    QrelsFormat.Beir => $"{Field(topic, '\t', '\n', '\r')}\t{Field(document, '\t', '\n', '\r')}\t{level}",
                    QrelsFormat.MsMarco => $"{Field(topic, EvaluationInput.WhiteSpace)}\t0\t{Field(document, EvaluationInput.WhiteSpace)}\t{level}",
                    _ => $"{Field(topic, EvaluationInput.WhiteSpace)} 0 {Field(document, EvaluationInput.WhiteSpace)} {level}",
                });
            }
        }
    });

    private static Qrels Read(EvaluationInput input, QrelsFormat? format)
    {
        var qrels = new Qrels();
        if ((format ?? (input.IsJson() ? QrelsFormat.Json : null)) == QrelsFormat.Json)
        {
            qrels.Format = QrelsFormat.Json;
            NestedJson.Read(input, _ => { }, (topic, document, number, line) => qrels.Add(topic, document, input.Integer(line, number, "level")));
            return qrels;
        }

        bool isFirst = true;
        bool hasHeader = false;
        foreach ((int number, string line) in input.Lines())
        {
            if (isFirst)
            {
                isFirst = false;
                hasHeader = format is null or QrelsFormat.Beir && line.Split('\t') is [_, _, "score"];
                if (hasHeader)
                {
                    format = QrelsFormat.Beir;
                    continue;
                }

                format ??= EvaluationInput.Fields(line).Length == 3 ? QrelsFormat.Beir : line.Contains('\t', StringComparison.Ordinal) ? QrelsFormat.MsMarco : QrelsFormat.Trec;
            }

            // BEIR's ids may hold spaces, so only tabs part its fields where it says that it is BEIR.
            string[] fields = hasHeader ? line.Split('\t') : EvaluationInput.Fields(line);
            (string topic, string document, string level) = (format, fields) switch
            {
                (QrelsFormat.Beir, [var a, var b, var c]) => (a, b, c),
                (QrelsFormat.Trec or QrelsFormat.MsMarco, [var a, _, var b, var c]) => (a, b, c),
                (QrelsFormat.Beir, _) => throw input.Invalid(number, $"a BEIR judgement has 3 fields (topic, document, level); this line has {fields.Length}"),
                _ => throw input.Invalid(number, $"a judgement has 3 fields (topic, document, level) or 4 (topic, 0, document, level), the same on every line; this line has {fields.Length}"),
            };
            if (!qrels.TryAdd(topic, document, input.Integer(number, level, "level")))
            {
                throw input.Invalid(number, $"topic '{topic}', document '{document}' is judged twice");
            }
        }

        qrels.Format = format ?? QrelsFormat.Trec;
        return qrels;
    }

    private static string Field(string text, params char[] excluded) => text.Length > 0 && text.IndexOfAny(excluded) < 0
        ? text
        : throw new ArgumentException($"'{text}' cannot be written to judgements of columns: it is empty or holds white space; use the JSON format");
}
