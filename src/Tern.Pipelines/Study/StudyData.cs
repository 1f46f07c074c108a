using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using Tern.Model;
using Tern.Retrieval;
using Tern.Text;
using Tern.Training;

namespace Tern.Pipelines.Study;

/// <summary>A collection's documents and the judged queries of its test split, in the order of the judgements.</summary>
internal sealed class EvaluationCollection
{
    public EvaluationCollection(StudyCollection collection)
    {
        Name = collection.Name;
        string qrels = ExistingFile(Path.Combine(collection.Directory, "qrels", "test.tsv"));
        Qrels = Qrels.Read(qrels);
        Dictionary<string, string> texts = QueryReader.Read(collection.Directory).ToDictionary(q => q.Id, q => q.Text, StringComparer.Ordinal);
        Queries = [.. Qrels.Topics.Select(topic => new Query(topic, texts.TryGetValue(topic, out string? text) ? text
            : throw new InvalidDataException($"{qrels}: topic '{topic}' is not among the queries of {collection.Directory}")))];
        Documents = [.. CorpusReader.Read(collection.Directory)];
        Fingerprint = ComputeFingerprint(File.ReadAllBytes(qrels));
    }

    public string Name { get; }

    /// <summary>Hash of documents, judged queries and judgements.</summary>
    public string Fingerprint { get; }

    public Qrels Qrels { get; }

    public IReadOnlyList<Query> Queries { get; }

    public IReadOnlyList<Document> Documents { get; }

    private string ComputeFingerprint(byte[] judgements)
    {
        var hash = new XxHash128();
        foreach (Document document in Documents)
        {
            hash.Append(Encoding.UTF8.GetBytes($"{document.Id}\n{document.Title}\n{document.Text}\n"));
        }

        foreach (Query query in Queries)
        {
            hash.Append(Encoding.UTF8.GetBytes($"{query.Id}\n{query.Text}\n"));
        }

        hash.Append(judgements);
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    private static string ExistingFile(string path) => File.Exists(path) ? path : File.Exists(path + ".gz") ? path + ".gz"
        : throw new FileNotFoundException($"{path}: not found; the study evaluates on the test split of a BEIR directory", path);
}

/// <summary>
/// What the cells of a study share, read when first asked for: the training collection, its vocabulary, examples, and the collections
/// that are evaluated on. One vocabulary serves all cells: it is learned from the training collection's documents and queries.
/// </summary>
internal sealed class StudyData(StudyPlan plan, StudyPaths paths)
{
    private readonly Dictionary<(StudyErrors Errors, int Seed), TrainingSet> _sets = [];
    private readonly Dictionary<string, EvaluationCollection> _collections = [];
    private IReadOnlyList<Document>? _documents;
    private IReadOnlyDictionary<string, string>? _queries;
    private Tokenizer? _tokenizer;
    private int[]? _frequencies;
    private string? _fingerprint;

    public StudyPlan Plan => plan;

    public IReadOnlyList<Document> Documents => _documents ??= [.. CorpusReader.Read(plan.Train.Directory)];

    public IReadOnlyDictionary<string, string> Queries => _queries ??= QueryReader.Read(plan.Train.Directory).ToDictionary(q => q.Id, q => q.Text, StringComparer.Ordinal);

    public Tokenizer Tokenizer => _tokenizer ??= LearnTokenizer();

    /// <summary>In how many documents each vocabulary entry occurs.</summary>
    public int[] DocumentFrequencies
    {
        get
        {
            _ = Tokenizer;
            return _frequencies ??= JsonSerializer.Deserialize(File.ReadAllText(paths.TermFrequencies), StudyJsonContext.Default.Int32Array)!;
        }
    }

    /// <summary>Hash of the training collection's texts, of the teacher's file and of the vocabulary's size.</summary>
    public string Fingerprint => _fingerprint ??= ComputeFingerprint();

    /// <summary>Queries without enough hard negatives, which no cell learns from.</summary>
    public int QueriesLeftOut { get; private set; }

    /// <summary>The examples of a cell: without errors all cells have the same.</summary>
    public TrainingSet TrainingSet(StudyCell cell)
    {
        (StudyErrors, int) key = (cell.Errors, cell.Errors == StudyErrors.None ? 0 : cell.Seed);
        if (!_sets.TryGetValue(key, out TrainingSet? set))
        {
            // Of those with errors the last is kept, which serves both types and some objectives.
            foreach ((StudyErrors, int) other in _sets.Keys.Where(k => k.Errors != StudyErrors.None).ToList())
            {
                _sets.Remove(other);
            }

            RetrieverContract contract = CellNetwork.Contract(plan, RepresentationKind.Sparse, 1); // Both kinds read texts alike.
            TokenizationOptions asQuery = contract.TokenizationFor(RetrievalSide.Query), asDocument = contract.TokenizationFor(RetrievalSide.Document);
            (IReadOnlyList<TrainingExample> examples, QueriesLeftOut) = StudyExamples.Create(plan, Queries, cell.Errors, cell.Seed);
            set = _sets[key] = Training.TrainingSet.Create(
                examples,
                Documents,
                (query, tokens) => Tokenizer.Encode(query, asQuery, tokens),
                (document, tokens) => Tokenizer.Encode(contract.Compose(document), asDocument, tokens),
                plan.Teacher);
        }

        return set;
    }

    public EvaluationCollection Collection(StudyCollection collection) =>
        _collections.TryGetValue(collection.Name, out EvaluationCollection? found) ? found : _collections[collection.Name] = new EvaluationCollection(collection);

    private Tokenizer LearnTokenizer()
    {
        string marker = paths.TermFrequencies + ".inputs";
        string inputs = FormattableString.Invariant($"{plan.VocabularySize} {Fingerprint}");
        if (!File.Exists(marker) || File.ReadAllText(marker) != inputs)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(paths.Tokenizer)!);
            File.Delete(marker);
            RetrieverContract contract = CellNetwork.Contract(plan, RepresentationKind.Sparse, 1);
            var options = new BytePairTrainerOptions { VocabularySize = plan.VocabularySize, Lowercase = true, SplitCaseChanges = true, Splitting = WordSplitting.Words };
            BytePairTrainer.Train(Documents.Select(contract.Compose).Concat(TrainQueries()), options, paths.Tokenizer);
            Tokenizer tokenizer = Tokenizer.Load(paths.Tokenizer);
            ResultsText.Save(paths.TermFrequencies, JsonSerializer.Serialize(Count(tokenizer, contract), StudyJsonContext.Default.Int32Array));
            ResultsText.Save(marker, inputs);
        }

        return Tokenizer.Load(paths.Tokenizer);
    }

    /// <summary>Queries that the teacher scored: the test split's words must not shape the vocabulary.</summary>
    private IEnumerable<string> TrainQueries() => TeacherScoreReader.Read(plan.Teacher).Where(s => Queries.ContainsKey(s.QueryId)).Select(s => Queries[s.QueryId]);

    private int[] Count(Tokenizer tokenizer, RetrieverContract contract)
    {
        int[] frequencies = new int[tokenizer.VocabularySize];
        List<int> tokens = [];
        foreach (Document document in Documents)
        {
            tokens.Clear();
            tokenizer.Encode(contract.Compose(document), tokens);
            foreach (int token in tokens.Distinct())
            {
                frequencies[token]++;
            }
        }

        return frequencies;
    }

    private string ComputeFingerprint()
    {
        var hash = new XxHash128();
        foreach (Document document in Documents)
        {
            hash.Append(Encoding.UTF8.GetBytes($"{document.Id}\n{document.Title}\n{document.Text}\n"));
        }

        foreach ((string id, string text) in Queries)
        {
            hash.Append(Encoding.UTF8.GetBytes($"{id}\n{text}\n"));
        }

        using FileStream teacher = File.OpenRead(plan.Teacher);
        hash.Append(teacher);
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }
}
