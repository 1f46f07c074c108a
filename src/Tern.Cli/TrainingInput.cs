using Tern.Retrieval;
using Tern.Text;

namespace Tern.Cli;

/// <summary>Where training examples and their documents come from.</summary>
internal sealed record TrainingInput(string Source, Func<IEnumerable<TrainingExample>> Examples, string CorpusPath)
{
    /// <summary>A BEIR directory: train.jsonl where there is one, otherwise every relevant pair of qrels/train.tsv.</summary>
    public static TrainingInput OfDirectory(string directory)
    {
        if (!Directory.Exists(directory))
        {
            throw new DirectoryNotFoundException($"{directory}: no such directory");
        }

        foreach (string name in new[] { "train.jsonl", "train.jsonl.gz" })
        {
            string path = Path.Combine(directory, name);
            if (File.Exists(path))
            {
                return OfFile(path, directory);
            }
        }

        string qrels = Path.Combine(directory, "qrels", "train.tsv");
        if (!File.Exists(qrels))
        {
            throw new FileNotFoundException($"{directory}: nothing to train on: it holds neither train.jsonl nor qrels/train.tsv", qrels);
        }

        return new TrainingInput(qrels, () => Pairs(qrels, directory), directory);
    }

    public static TrainingInput OfFile(string path, string corpus) => new(path, () => TrainingExampleReader.Read(path), corpus);

    private static IEnumerable<TrainingExample> Pairs(string qrelsPath, string directory)
    {
        Qrels qrels = Qrels.Read(qrelsPath);
        Dictionary<string, string> queries = QueryReader.Read(directory).Where(q => qrels.Contains(q.Id)).ToDictionary(q => q.Id, q => q.Text, StringComparer.Ordinal);
        foreach (string topic in qrels.Topics)
        {
            if (!queries.TryGetValue(topic, out string? text))
            {
                throw new InvalidDataException($"{qrelsPath}: topic '{topic}' is not among the queries of {directory}");
            }

            foreach ((string document, int level) in qrels[topic])
            {
                if (level > 0)
                {
                    yield return new TrainingExample(text, document, []);
                }
            }
        }
    }
}
