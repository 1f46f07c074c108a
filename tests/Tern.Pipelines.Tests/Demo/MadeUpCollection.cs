using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Tern.Pipelines.Tests.Demo;

/// <summary>
/// A small BEIR collection of invented words. Every topic has one word that only queries use and one that only documents
/// use, so that word matching finds half of the topics of a query and the rest has to be learned.
/// </summary>
internal static class MadeUpCollection
{
    private const int TopicCount = 40;
    private static readonly string[] Consonants = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z"];
    private static readonly string[] Vowels = ["a", "e", "i", "o", "u"];

    public static void Write(string directory, int documents = 200, int seed = 3)
    {
        var random = new Random(seed);
        string[] words = [.. Words(random).Distinct().Take(3 * TopicCount)];
        var corpus = new StringBuilder();
        var queries = new StringBuilder();
        Dictionary<string, StringBuilder> qrels = new() { ["train"] = Header(), ["dev"] = Header(), ["test"] = Header() };
        for (int i = 0; i < documents; i++)
        {
            int[] topics = [.. Enumerable.Range(0, TopicCount).OrderBy(_ => random.Next()).Take(4)];
            string text = string.Join(' ', topics.Select(t => $"{words[3 * t]} {words[3 * t + 1]}")) + " the of and";
            string query = string.Join(' ', topics.Take(3).Select((t, place) => place == 0 ? words[3 * t] : words[3 * t + 2])) + " for the";
            string split = i % 10 == 8 ? "dev" : i % 10 == 9 ? "test" : "train";
            corpus.AppendLine(JsonSerializer.Serialize(new { _id = $"d{i}", title = $"Name{i}", text }));
            queries.AppendLine(JsonSerializer.Serialize(new { _id = $"q{i}", text = query }));
            qrels[split].AppendLine(CultureInfo.InvariantCulture, $"q{i}\td{i}\t1");
        }

        Directory.CreateDirectory(Path.Combine(directory, "qrels"));
        File.WriteAllText(Path.Combine(directory, "corpus.jsonl"), corpus.ToString());
        File.WriteAllText(Path.Combine(directory, "queries.jsonl"), queries.ToString());
        foreach ((string split, StringBuilder lines) in qrels)
        {
            File.WriteAllText(Path.Combine(directory, "qrels", split + ".tsv"), lines.ToString());
        }

        static StringBuilder Header() => new StringBuilder().AppendLine("query-id\tcorpus-id\tscore");
    }

    private static IEnumerable<string> Words(Random random)
    {
        while (true)
        {
            yield return string.Concat(Enumerable.Range(0, 3).Select(_ => Consonants[random.Next(Consonants.Length)] + Vowels[random.Next(Vowels.Length)]));
        }
    }
}
