using System.Globalization;

namespace Tern.Retrieval.Exchange;

/// <summary>
/// Anserini's and Pyserini's JsonVectorCollection, to be indexed with <c>-impact -pretokenized</c>. Weights must be whole
/// numbers there: Anserini truncates others without a word. Reading is <see cref="SparseJson.Read"/>.
/// </summary>
public static class AnseriniVectors
{
    /// <summary>One document a line; one whose every weight rounds to 0 is left out, since Anserini takes no empty vector. Returns how many were.</summary>
    public static int Write(Stream stream, IEnumerable<SparseDocument> documents, TermNames names, ImpactRounding rounding)
    {
        int emptyCount = 0;
        foreach (SparseDocument document in documents)
        {
            int[] impacts = Array.ConvertAll(document.Vector.Weights.ToArray(), rounding.Round);
            if (!Array.Exists(impacts, impact => impact > 0))
            {
                emptyCount++;
                continue;
            }

            SparseJson.WriteLine(stream, json =>
            {
                json.WriteString("id", document.Id);
                json.WriteString("contents", "");
                json.WriteStartObject("vector");
                for (int i = 0; i < impacts.Length; i++)
                {
                    if (impacts[i] > 0)
                    {
                        json.WriteNumber(names.Name(document.Vector.TermSpan[i]), impacts[i]);
                    }
                }

                json.WriteEndObject();
            });
        }

        return emptyCount;
    }

    /// <summary>
    /// Queries for <c>-topicReader TsvString</c>: id, tab, every term as often as its weight says. A term with white space
    /// in its name cannot be written so and is an <see cref="InvalidDataException"/>.
    /// </summary>
    public static void WriteTopics(TextWriter writer, IEnumerable<SparseDocument> queries, TermNames names, ImpactRounding rounding)
    {
        foreach (SparseDocument query in queries)
        {
            writer.Write(query.Id);
            char separator = '\t';
            for (int i = 0; i < query.Vector.Count; i++)
            {
                string name = names.Name(query.Vector.TermSpan[i]);
                if (name.Any(char.IsWhiteSpace))
                {
                    throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"query '{query.Id}': the term '{name}' has white space in its name; write queries with term ids"));
                }

                for (int times = rounding.Round(query.Vector.WeightSpan[i]); times > 0; times--)
                {
                    writer.Write(separator);
                    writer.Write(name);
                    separator = ' ';
                }
            }

            writer.Write('\n');
        }
    }
}
