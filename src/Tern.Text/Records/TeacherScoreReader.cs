namespace Tern.Text;

/// <summary>A document with a teacher's score for one query.</summary>
public readonly record struct ScoredCandidate(string Id, float Score);

/// <summary>A teacher's scores of one query's relevant documents and hard negatives; <paramref name="Place"/> is "file:line" for messages.</summary>
public sealed record TeacherScores(string Place, string QueryId, IReadOnlyList<ScoredCandidate> Positives, IReadOnlyList<ScoredCandidate> Negatives);

/// <summary>
/// Streams teacher scores by query id from JSON Lines ([.gz], "-" for standard input):
/// {"qid": …, "pos": [[id, score], …], "neg": [[id, score], …]}. A malformed line is an <see cref="InvalidDataException"/>, "file:line: …".
/// </summary>
public static class TeacherScoreReader
{
    public static IEnumerable<TeacherScores> Read(string path)
    {
        if (path != "-" && !File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: no such file", path);
        }

        return Lines(path);
    }

    private static IEnumerable<TeacherScores> Lines(string path)
    {
        using var reader = new LineReader(path);
        foreach (JsonRecord record in JsonRecord.ReadAll(reader, reader.ReadLine()))
        {
            TeacherScores scores = new($"{reader.Path}:{reader.LineNumber}", record.Id("qid", "query_id"), record.ScoredIds("pos"), record.ScoredIds("neg"));
            yield return scores.Positives.Count > 0 ? scores : throw record.Malformed("\"pos\" is empty: a query without a relevant document teaches nothing");
        }
    }
}
