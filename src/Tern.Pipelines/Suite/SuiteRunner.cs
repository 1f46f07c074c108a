using System.Diagnostics;
using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using Tern.Retrieval;
using Tern.Text;

namespace Tern.Pipelines.Suite;

/// <summary>What a suite is run with.</summary>
/// <param name="OutputDirectory">Gets NAME.json and runs/NAME.run.gz of each dataset.</param>
/// <param name="Model">A retriever; null for BM25.</param>
/// <param name="ModelDirectory">Where it came from; unused for BM25.</param>
/// <param name="SearchDepth">Documents of a topic. Self-matches are dropped after this cut, as BEIR does.</param>
public sealed record SuiteOptions(string OutputDirectory, RetrieverModel? Model, string ModelDirectory, IReadOnlyList<Measure> Measures, int SearchDepth)
{
    public string System => Model is null ? "bm25" : Model.Name;
}

/// <summary>
/// Evaluates one system on datasets in BEIR's layout, one after the other. Each leaves its result when it is done, and a result of the
/// same system, data and options is not made again: a suite that was stopped goes on with the dataset it was stopped in.
/// </summary>
public sealed class SuiteRunner(SuiteOptions options)
{
    /// <summary>MTEB's main measure of retrieval.</summary>
    private static readonly Measure Main = Measure.Parse("nDCG@10");

    /// <summary>The measures that were asked for; nDCG@10, which is the main score of results, among them.</summary>
    public IReadOnlyList<Measure> Measures { get; } = options.Measures.Contains(Main) ? options.Measures : [Main, .. options.Measures];

    public string ResultPath(SuiteDataset dataset) => Path.Combine(options.OutputDirectory, dataset.Name + ".json");

    public string RunPath(SuiteDataset dataset) => Path.Combine(options.OutputDirectory, "runs", dataset.Name + ".run.gz");

    /// <summary>The result, and whether an earlier run had left it.</summary>
    /// <param name="progress">Told of documents indexed so far.</param>
    /// <exception cref="InvalidDataException">The dataset is malformed; a judged topic has no query.</exception>
    public (SuiteResult Result, bool Reused) Run(SuiteDataset dataset, Action<int>? progress = null, CancellationToken cancellation = default)
    {
        string inputs = Inputs(dataset);
        if (Earlier(dataset, inputs) is { } earlier)
        {
            return (earlier, true);
        }

        long start = Stopwatch.GetTimestamp();
        Qrels qrels = Qrels.Read(dataset.QrelsPath);
        Dictionary<string, string> texts = QueryReader.Read(dataset.Directory).Where(q => qrels.Contains(q.Id)).ToDictionary(q => q.Id, q => q.Text, StringComparer.Ordinal);
        string[] queries = [.. qrels.Topics.Select(topic => texts.TryGetValue(topic, out string? text) ? text : throw new InvalidDataException($"{dataset.QrelsPath}: topic '{topic}' is not among the queries of {dataset.Directory}"))];
        (Run run, int documentCount) = Search(dataset, qrels.Topics, queries, progress, cancellation);
        int own = run.CountIdenticalIds();
        bool areDocuments = SelfMatches.TopicsAreDocuments(qrels, run);
        if (areDocuments)
        {
            run.RemoveIdenticalIds();
        }

        Directory.CreateDirectory(Path.GetDirectoryName(RunPath(dataset))!);
        run.Write(RunPath(dataset));
        EvaluationReport report = TrecEval.Evaluate(qrels, run, Measures, new EvaluationOptions { CompleteTopics = true });
        var result = new SuiteResult
        {
            Dataset = dataset.Name,
            Scores = new Dictionary<string, IReadOnlyList<IReadOnlyDictionary<string, JsonElement>>> { [dataset.Split] = [Mteb(report)] },
            EvaluationTime = Math.Round(Stopwatch.GetElapsedTime(start).TotalSeconds, 1),
            System = options.System,
            Measures = Measures.ToDictionary(m => m.Name, report.Summary),
            Split = dataset.Split,
            DocumentCount = documentCount,
            TopicCount = report.Topics.Count,
            SearchDepth = options.SearchDepth,
            SelfMatches = areDocuments ? FormattableString.Invariant($"dropped: {own} of {queries.Length} topics found themselves: they are documents")
                : own > 0 ? FormattableString.Invariant($"kept: {own} of {queries.Length} topics share an id with a document that they found, by chance") : "none",
            Inputs = inputs,
        };
        string aside = ResultPath(dataset) + ".tmp";
        Directory.CreateDirectory(Path.GetDirectoryName(aside)!);
        File.WriteAllText(aside, JsonSerializer.Serialize(result, SuiteJsonContext.Default.SuiteResult) + "\n");
        File.Move(aside, ResultPath(dataset), overwrite: true);
        return (result, false);
    }

    private (Run Run, int DocumentCount) Search(SuiteDataset dataset, IReadOnlyList<string> topics, string[] queries, Action<int>? progress, CancellationToken cancellation)
    {
        string index = Path.Combine(options.OutputDirectory, ".index");
        Directory.CreateDirectory(options.OutputDirectory);
        try
        {
            var writing = new IndexWriterOptions { Progress = progress, Store = (_, _) => new StoredDocument("", "", "") };
            IEnumerable<Document> documents = CorpusReader.Read(dataset.Directory);
            IndexDescription description = options.Model is { } model
                ? IndexWriter.WriteLearned(index, model, options.ModelDirectory, documents, writing, cancellation)
                : IndexWriter.WriteBm25(index, documents, writing, cancellation);
            using Retriever retriever = options.Model is null ? Retriever.Open(index) : Retriever.Open(index, options.Model);
            IReadOnlyList<IReadOnlyList<ScoredDocument>> hits = retriever.SearchAll(queries, options.SearchDepth, cancellation);
            var run = new Run(options.System);
            for (int i = 0; i < topics.Count; i++)
            {
                run.AddTopic(topics[i]);
                foreach (ScoredDocument hit in hits[i])
                {
                    run.Add(topics[i], hit.Id, hit.Score);
                }
            }

            return (run, description.DocumentCount);
        }
        finally
        {
            if (Directory.Exists(index))
            {
                Directory.Delete(index, recursive: true);
            }
        }
    }

    private static Dictionary<string, JsonElement> Mteb(EvaluationReport report)
    {
        Dictionary<string, JsonElement> scores = report.Measures.Where(m => m.MtebKey is not null).DistinctBy(m => m.MtebKey)
            .ToDictionary(m => m.MtebKey!, m => JsonSerializer.SerializeToElement(report.Summary(m), SuiteJsonContext.Default.Double));
        scores["main_score"] = JsonSerializer.SerializeToElement(report.Summary(Main), SuiteJsonContext.Default.Double);
        scores["hf_subset"] = JsonSerializer.SerializeToElement("default", SuiteJsonContext.Default.String);
        return scores;
    }

    private SuiteResult? Earlier(SuiteDataset dataset, string inputs)
    {
        try
        {
            return File.Exists(ResultPath(dataset)) && JsonSerializer.Deserialize(File.ReadAllText(ResultPath(dataset)), SuiteJsonContext.Default.SuiteResult) is { } result && result.Inputs == inputs ? result : null;
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{ResultPath(dataset)}: not a result of this version: {error.Message}; delete it to make it again", error);
        }
    }

    private string Inputs(SuiteDataset dataset)
    {
        string system = options.Model is null ? "bm25" : options.Model.Fingerprint + options.Model.Precision;
        string text = FormattableString.Invariant($"{system}\n{dataset.Fingerprint()}\n{options.SearchDepth}\n{string.Join(' ', Measures.Select(m => m.Name))}");
        return Convert.ToHexStringLower(XxHash128.Hash(Encoding.UTF8.GetBytes(text)));
    }
}
