using Tern.Retrieval;
using Tern.Text;

namespace Tern.Pipelines.Demo;

/// <summary>A query with its relevant documents, level above zero.</summary>
internal sealed record JudgedQuery(string Id, string Text, IReadOnlyList<string> Relevant);

/// <summary>A BEIR directory in memory: documents in file order, judged queries by split.</summary>
internal sealed class DemoCollection
{
    private readonly Dictionary<string, int> _positions;

    private DemoCollection(IReadOnlyList<Document> documents, IReadOnlyDictionary<string, string> queries, string directory)
    {
        Documents = documents;
        _positions = documents.Index().ToDictionary(d => d.Item.Id, d => d.Index, StringComparer.Ordinal);
        Train = Read("train");
        Dev = Read("dev");
        Test = Read("test");
        TestQrels = Qrels.Read(QrelsPath(directory, "test"));
        DevQrels = Qrels.Read(QrelsPath(directory, "dev"));

        IReadOnlyList<JudgedQuery> Read(string split)
        {
            string path = QrelsPath(directory, split);
            Qrels qrels = Qrels.Read(path);
            var judged = new List<JudgedQuery>();
            foreach (string topic in qrels.Topics)
            {
                string[] relevant = [.. qrels[topic].Where(j => j.Value > 0).Select(j => j.Key)];
                if (relevant.FirstOrDefault(id => !_positions.ContainsKey(id)) is { } missing)
                {
                    throw new InvalidDataException($"{path}: topic '{topic}' judges document '{missing}', which corpus.jsonl does not have");
                }

                if (relevant.Length > 0)
                {
                    judged.Add(new JudgedQuery(topic, queries.TryGetValue(topic, out string? text) ? text : throw new InvalidDataException($"{path}: topic '{topic}' is not in queries.jsonl"), relevant));
                }
            }

            return judged.Count > 0 ? judged : throw new InvalidDataException($"{path}: no relevant documents; the demo needs train, dev and test judgements");
        }
    }

    public IReadOnlyList<Document> Documents { get; }

    public IReadOnlyList<JudgedQuery> Train { get; }

    public IReadOnlyList<JudgedQuery> Dev { get; }

    public IReadOnlyList<JudgedQuery> Test { get; }

    public Qrels TestQrels { get; }

    public Qrels DevQrels { get; }

    public static DemoCollection Load(string directory)
    {
        Document[] documents = [.. CorpusReader.Read(directory)];
        Dictionary<string, string> queries = QueryReader.Read(directory).ToDictionary(q => q.Id, q => q.Text, StringComparer.Ordinal);
        return new DemoCollection(documents, queries, directory);
    }

    /// <summary>The files that a collection consists of, whichever form they have.</summary>
    public static IReadOnlyList<string> Files(string directory) =>
        [Existing(directory, "corpus.jsonl"), Existing(directory, "queries.jsonl"), QrelsPath(directory, "train"), QrelsPath(directory, "dev"), QrelsPath(directory, "test")];

    /// <summary>What a reader knows a document by.</summary>
    public string Name(string id) => StoredDocument.Of(Documents[_positions[id]], "").Name;

    private static string QrelsPath(string directory, string split) => Existing(Path.Combine(directory, "qrels"), split + ".tsv");

    private static string Existing(string directory, string name)
    {
        string path = Path.Combine(directory, name);
        return File.Exists(path) ? path
            : File.Exists(path + ".gz") ? path + ".gz"
            : throw new FileNotFoundException($"{path}: not found; the demo needs a BEIR directory with corpus.jsonl, queries.jsonl and qrels/train.tsv, dev.tsv, test.tsv", path);
    }
}
