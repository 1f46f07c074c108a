using System.Globalization;

namespace Tern.Retrieval;

/// <summary>Reading and writing of run files.</summary>
public sealed partial class Run
{
    /// <summary>
    /// Reads a run, gzip and LZ4 too, "-" for standard input. Without a format, an object is JSON, lines of six fields or
    /// more are TREC; of lines of three the numbers tell ranks (they rise) from scores (they fall). A bad line or a
    /// document listed twice is an <see cref="InvalidDataException"/> with file:line.
    /// </summary>
    public static Run Read(string path, RunFormat? format = null)
    {
        using var input = EvaluationInput.Open(path);
        return Read(input, format);
    }

    /// <summary>As above; the name stands for the file in errors. The stream is closed.</summary>
    public static Run Read(Stream stream, string name, RunFormat? format = null)
    {
        using var input = EvaluationInput.Open(stream, name);
        return Read(input, format);
    }

    /// <summary>
    /// Writes the run in an order, ranks from 1; gzip where the name ends in .gz. Scores are the shortest text that reads
    /// back as the same float32 (the same double in <see cref="TieOrder.Trec10"/>). An order that scores and ids do not
    /// imply would be lost on other tools: it must be perturbed, which rounds scores to 1e-4 and takes about 1e-6 off
    /// for each tie, as Anserini does, so that every tool sees this order.
    /// </summary>
    public void Write(string path, RunFormat format = RunFormat.Trec, TieOrder order = TieOrder.Trec9, bool perturbTies = false)
    {
        CheckDuplicates();
        EvaluationOutput.Write(path, stream =>
        {
            if (format == RunFormat.Json)
            {
                NestedJson.Write(stream, Topics, topic => Written(topic, order, perturbTies));
                return;
            }

            using var writer = new StreamWriter(stream, bufferSize: 1 << 16, leaveOpen: true) { NewLine = "\n" };
            foreach (string topic in Topics)
            {
                int rank = 0;
                foreach ((string document, string score) in Written(topic, order, perturbTies))
                {
                    rank++;
                    writer.WriteLine(format switch
                    {
                        RunFormat.Trec => $"{Field(topic)} Q0 {Field(document)} {rank} {score} {Field(Tag)}",
                        RunFormat.MsMarco => $"{Field(topic)}\t{Field(document)}\t{rank}",
                        _ => $"{Field(topic)}\t{Field(document)}\t{score}",
                    });
                }
            }
        });
    }

    private static Run Read(EvaluationInput input, RunFormat? format)
    {
        var run = new Run();
        if ((format ?? (input.IsJson() ? RunFormat.Json : null)) == RunFormat.Json)
        {
            NestedJson.Read(input, run.AddTopic, (topic, document, number, line) => run.Add(topic, document, input.Score(line, number), rank: null));
            return run;
        }

        format ??= input.Lines().Select(line => EvaluationInput.Fields(line.Text).Length).FirstOrDefault() == 3 ? ThreeColumns.Format(input) : RunFormat.Trec;
        var seen = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        foreach ((int number, string line) in input.Lines())
        {
            string[] fields = EvaluationInput.Fields(line);
            (string topic, string document) = (format, fields) switch
            {
                (RunFormat.Trec, { Length: >= 6 }) => (fields[0], fields[2]),
                (RunFormat.MsMarco or RunFormat.Scores, { Length: 3 }) => (fields[0], fields[1]),
                (RunFormat.Trec, _) => throw input.Invalid(number, $"a TREC run line has 6 fields (topic Q0 document rank score tag); this line has {fields.Length}"),
                _ => throw input.Invalid(number, $"a line of this run has 3 fields (topic document {(format == RunFormat.MsMarco ? "rank" : "score")}); this line has {fields.Length}"),
            };
            if (!(seen.TryGetValue(topic, out HashSet<string>? documents) ? documents : seen[topic] = new HashSet<string>(StringComparer.Ordinal)).Add(document))
            {
                throw input.Invalid(number, $"topic '{topic}' lists document '{document}' twice");
            }

            switch (format)
            {
                case RunFormat.Trec:
                    // The rank column is for TieOrder.Rank alone; trec_eval takes anything there, and so do we until asked.
                    int? rank = int.TryParse(fields[3], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int given) ? given : null;
                    run.Tag = fields[5];
                    run.Add(topic, document, input.Score(number, fields[4]), rank);
                    break;
                case RunFormat.MsMarco:
                    int place = input.Integer(number, fields[2], "rank");
                    run.Add(topic, document, -place, place);
                    break;
                default:
                    run.Add(topic, document, input.Score(number, fields[2]), rank: null);
                    break;
            }
        }

        return run;
    }

    private static string Field(string text) => text.Length > 0 && text.AsSpan().IndexOfAny(EvaluationInput.WhiteSpace) < 0
        ? text
        : throw new ArgumentException($"'{text}' cannot be written to a run of columns: it is empty or holds white space; use the JSON format");

    private IEnumerable<(string Document, string Score)> Written(string topic, TieOrder order, bool perturbTies)
    {
        RunEntry[] entries = Ranked(topic, order);
        float[] perturbed = perturbTies ? TiePerturbation.Apply(Array.ConvertAll(entries, entry => entry.Score)) : [];
        for (int i = 0; i < entries.Length; i++)
        {
            yield return (entries[i].Id, perturbTies
                ? perturbed[i].ToString(CultureInfo.InvariantCulture)
                : order == TieOrder.Trec10
                    ? entries[i].Score.ToString("R", CultureInfo.InvariantCulture)
                    : ((float)entries[i].Score).ToString(CultureInfo.InvariantCulture));
        }
    }
}
