using System.Text.Json;
using System.Text.Json.Nodes;
using Tern.Compute;
using Tern.Model;
using Tern.Retrieval;
using Tern.Text;
using Tern.Training;

namespace Tern.Pipelines.Demo.Stages;

/// <summary>
/// What all stages of one run share: options, paths, the observer, the records of finished stages, and what several of
/// them read from files, loaded when first asked for.
/// </summary>
internal sealed class DemoContext(DemoOptions options, IDemoObserver observer)
{
    private readonly Dictionary<string, StageRecord> _records = [];
    private readonly Dictionary<string, Run> _runs = [];
    private DemoCollection? _collection;
    private Tokenizer? _tokenizer;
    private TrainingSet? _trainingSet;

    public DemoOptions Options { get; } = options;

    public DemoRecipe Recipe => Options.Recipe;

    public DemoPaths Paths { get; } = new(options.OutputDirectory);

    public IDemoObserver Observer { get; } = observer;

    public int Threads => Options.Threads > 0 ? Options.Threads : Environment.ProcessorCount;

    public string CollectionDirectory => Options.DataDirectory ?? Paths.Collection;

    /// <summary>Seconds of every stage that is done, in order.</summary>
    public Dictionary<string, double> Seconds { get; } = [];

    /// <summary>Of the stage that is running.</summary>
    public string CurrentFingerprint { get; set; } = "";

    public DemoCollection Collection => _collection ??= DemoCollection.Load(CollectionDirectory);

    public Tokenizer Tokenizer => _tokenizer ??= Tokenizer.Load(Paths.TokenizerFile);

    /// <summary>Tokenised once for both models: they see the same texts under the same limits.</summary>
    public TrainingSet TrainingSet => _trainingSet ??= CreateTrainingSet();

    public IBackend CreateBackend(int threads = 0) => Backends.Create("cpu", threads > 0 ? threads : Options.Threads);

    /// <summary>A model at its start.</summary>
    public RetrieverNetwork CreateNetwork(IBackend backend, RepresentationKind kind)
    {
        var frequencies = ResultsFile.Load<List<int>>(Paths.TermFrequencies);
        return NetworkFactory.Create(backend, Recipe, kind, Tokenizer, frequencies, Collection.Documents.Count);
    }

    /// <summary>A trained model; with <paramref name="bypassBlocks"/> its ablation, whose vectors are not those its fingerprint stands for.</summary>
    public RetrieverModel LoadModel(IBackend backend, RepresentationKind kind, bool bypassBlocks = false)
    {
        RetrieverNetwork network = RetrieverNetwork.Load(backend, Paths.Model(TrainingStage.Word(kind)));
        network.BypassBlocks = bypassBlocks;
        return new RetrieverModel(network, Tokenizer, new ModelOptions { Threads = Threads });
    }

    public IndexWriterOptions IndexOptions(string what) => new()
    {
        Progress = done => Observer.Progress(what, done, Collection.Documents.Count),
    };

    /// <summary>A run that an earlier stage saved, in this process or before.</summary>
    public Run Run(string system, string split)
    {
        string path = Paths.Run(system, split);
        return _runs.TryGetValue(path, out Run? run) ? run : _runs[path] = Tern.Retrieval.Run.Read(path);
    }

    public void SaveRun(string system, string split, Run run)
    {
        string path = Paths.Run(system, split);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        run.Write(path);
        _runs[path] = run;
    }

    public StageRecord Record(string stage) => _records[stage];

    public void Add(string stage, StageRecord record)
    {
        _records[stage] = record;
        Seconds[stage] = record.Seconds;
    }

    public T Figures<T>(string stage) => _records[stage].Figures.Deserialize(ResultsFile.TypeOf<T>())!;

    public static JsonNode ToFigures(object figures) => JsonSerializer.SerializeToNode(figures, ResultsFile.Options.GetTypeInfo(figures.GetType()))!;

    private TrainingSet CreateTrainingSet()
    {
        // The two kinds of model differ in their heads, not in how they read text.
        RetrieverContract contract = NetworkFactory.Contract(Recipe, RepresentationKind.Sparse);
        TokenizationOptions asQuery = contract.TokenizationFor(RetrievalSide.Query), asDocument = contract.TokenizationFor(RetrievalSide.Document);
        return TrainingSet.Create(
            TrainingExampleReader.Read(Paths.TrainingExamples),
            Collection.Documents,
            (query, tokens) => Tokenizer.Encode(query, asQuery, tokens),
            (document, tokens) => Tokenizer.Encode(contract.Compose(document), asDocument, tokens),
            Paths.TrainingExamples);
    }
}
