using System.CommandLine;
using Tern.Compute;
using Tern.Model;
using Tern.Model.Checkpoints;
using Tern.Pipelines.Teaching;
using Tern.Text;

namespace Tern.Cli;

/// <summary>
/// The network and tokenizer that a run starts with: a checkpoint, a model directory, or random weights whose embedding
/// rows are scaled by idf and whose blocks add nothing yet, so that a text's vector is a weighted bag of its words before the first step.
/// </summary>
internal sealed class TrainingStart : IDisposable
{
    private const float IdfFloor = 0.2f;
    private const float IdfCeiling = 2f;
    private const float EmbeddingDeviation = 0.08f;
    private const float SilentTermBias = -1f;

    private readonly string? _scratchDirectory;

    private TrainingStart(RetrieverNetwork network, string tokenizerPath, Tokenizer tokenizer, string? scratchDirectory)
    {
        Network = network;
        TokenizerPath = tokenizerPath;
        Tokenizer = tokenizer;
        _scratchDirectory = scratchDirectory;
    }

    public RetrieverNetwork Network { get; }

    public string TokenizerPath { get; }

    public Tokenizer Tokenizer { get; }

    /// <summary>The latest checkpoint below a run's directory.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    public static string LatestCheckpoint(string runDirectory)
    {
        const string Prefix = "checkpoint-";
        return Directory.EnumerateDirectories(runDirectory, Prefix + "*")
            .Where(path => int.TryParse(Path.GetFileName(path).AsSpan(Prefix.Length), out _))
            .MaxBy(path => int.Parse(Path.GetFileName(path).AsSpan(Prefix.Length), System.Globalization.CultureInfo.InvariantCulture))
            ?? throw new FileNotFoundException($"{runDirectory}: no checkpoint-… to resume from; leave --resume out to start the run");
    }

    public static TrainingStart FromCheckpoint(IBackend backend, string checkpoint)
    {
        // Its own copy of the tokenizer: the run deletes this checkpoint when it has newer ones.
        string scratch = Directory.CreateTempSubdirectory("tern-").FullName;
        try
        {
            string tokenizer = Path.Combine(scratch, "tokenizer.json");
            File.Copy(Path.Combine(checkpoint, "tokenizer.json"), tokenizer);
            return new TrainingStart(RetrieverNetwork.Load(backend, checkpoint, trainable: true), tokenizer, Tokenizer.Load(scratch), scratch);
        }
        catch
        {
            Delete(scratch);
            throw;
        }
    }

    /// <summary>
    /// A retriever, an adapter with what it lies on, or a plain Llama directory, which gets the contract of the paper's models. What is trained:
    /// a new adapter where one is asked for, otherwise the topmost, otherwise all weights.
    /// </summary>
    public static TrainingStart FromModel(IBackend backend, string directory, TrainFlags flags, ParseResult parsed)
    {
        LoraSettings? lora = flags.Lora.Read(parsed);
        AdapterStack stack = AdapterStack.Open(directory);
        string tokenizerPath = stack.Find("tokenizer.json") ?? Path.Combine(directory, "tokenizer.json");
        Tokenizer tokenizer = Tokenizer.Load(tokenizerPath);
        LlamaConfig config = LlamaConfig.Load(stack.BaseDirectory);
        RetrieverContract? own = File.Exists(Path.Combine(directory, RetrieverContract.FileName)) ? RetrieverContract.Load(directory) : null;
        RepresentationKind kind = parsed.GetValue(flags.Type) is { } type
            ? TrainFlags.KindOf(type)
            : own?.Kind ?? throw new UsageException($"--type: {directory} has no {RetrieverContract.FileName}; say sparse or dense");
        RetrieverContract contract = own?.Kind == kind ? own : RetrieverContract.Lion(kind, config);
        LlamaWeights weights = LlamaWeights.LoadStack(backend, stack, trainable: lora is null);
        try
        {
            if (lora is not null)
            {
                weights.AddAdapter(lora, Path.GetFullPath(directory));
            }

            return new TrainingStart(new RetrieverNetwork(backend, weights, Adjust(contract with { Golden = [], Fingerprint = "" }, flags, parsed)), tokenizerPath, tokenizer, null);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    public static TrainingStart FromNothing(IBackend backend, string corpusPath, TrainFlags flags, ParseResult parsed)
    {
        string? scratch = null;
        try
        {
            scratch = Directory.CreateTempSubdirectory("tern-").FullName;
            string path = Path.Combine(scratch, "tokenizer.json");
            if (parsed.GetValue(flags.Tokenizer) is { } given)
            {
                string file = Directory.Exists(given) ? Path.Combine(given, "tokenizer.json") : given;
                Tokenizer.Load(file); // an error names the file that the user gave
                File.Copy(file, path); // under the name by which checkpoints are read again
            }
            else
            {
                var options = new BytePairTrainerOptions { VocabularySize = parsed.GetValue(flags.VocabularySize), Lowercase = parsed.GetValue(flags.Lowercase), Splitting = WordSplitting.Words };
                BytePairTrainer.Train(CorpusReader.Read(corpusPath).Select(d => $"{d.Title} {d.Text}".Trim()), options, path);
            }

            Tokenizer tokenizer = Tokenizer.Load(path);
            return new TrainingStart(Draw(backend, tokenizer, corpusPath, flags, parsed), path, tokenizer, scratch);
        }
        catch
        {
            Delete(scratch);
            throw;
        }
    }

    /// <summary>idf / mean idf of each token in the corpus, bounded; a token that never occurs counts as occurring once.</summary>
    internal static float[] IdfScales(Tokenizer tokenizer, RetrieverContract contract, IEnumerable<Document> documents)
    {
        int[] frequencies = new int[tokenizer.VocabularySize];
        int count = 0;
        List<int> tokens = [];
        foreach (Document document in documents)
        {
            tokens.Clear();
            tokenizer.Encode(contract.Compose(document), contract.TokenizationFor(RetrievalSide.Document), tokens);
            foreach (int token in tokens.Distinct())
            {
                frequencies[token]++;
            }

            count++;
        }

        double[] idf = Array.ConvertAll(frequencies, f => Math.Log((count + 1.0) / Math.Max(f, 1)));
        double mean = idf.Where((_, token) => frequencies[token] > 0).DefaultIfEmpty(1).Average();
        return Array.ConvertAll(idf, value => Math.Clamp((float)(value / Math.Max(mean, 1e-6)), IdfFloor, IdfCeiling));
    }

    public void Dispose()
    {
        Network.Dispose();
        Delete(_scratchDirectory);
    }

    private static RetrieverNetwork Draw(IBackend backend, Tokenizer tokenizer, string corpusPath, TrainFlags flags, ParseResult parsed)
    {
        RepresentationKind kind = TrainFlags.KindOf(parsed.GetValue(flags.Type)!);
        int hiddenSize = parsed.GetValue(flags.HiddenSize);
        int headCount = parsed.GetValue(flags.Heads);
        var config = new LlamaConfig
        {
            HiddenSize = hiddenSize,
            IntermediateSize = parsed.GetValue(flags.IntermediateSize) ?? 3 * hiddenSize,
            LayerCount = parsed.GetValue(flags.Layers),
            HeadCount = headCount,
            KeyValueHeadCount = parsed.GetValue(flags.KeyValueHeads) ?? headCount,
            HeadSize = hiddenSize / headCount,
            VocabularySize = tokenizer.VocabularySize,
            TieWordEmbeddings = true,
            BosTokenId = tokenizer.BosId,
            EosTokenId = tokenizer.EosId,
        };
        bool isSparse = kind == RepresentationKind.Sparse;
        RetrieverContract contract = Adjust(RetrieverContract.Lion(kind, config) with { AddBos = tokenizer.BosId is not null, HasTermBias = isSparse }, flags, parsed);
        var initialization = new LlamaInitialization
        {
            Seed = parsed.GetValue(flags.Seed),
            EmbeddingStandardDeviation = EmbeddingDeviation,
            EmbeddingScales = IdfScales(tokenizer, contract, CorpusReader.Read(corpusPath)),
            ProjectionStandardDeviation = 1f / MathF.Sqrt(hiddenSize),
            ZeroResidualProjections = true,
            TermBias = isSparse ? SilentTermBias : null,
        };
        return new RetrieverNetwork(backend, LlamaWeights.Random(backend, config, initialization, trainable: true), contract);
    }

    private static RetrieverContract Adjust(RetrieverContract contract, TrainFlags flags, ParseResult parsed) => contract with
    {
        MaxQueryTokens = parsed.GetValue(flags.QueryLength) ?? contract.MaxQueryTokens,

        // A pair is as long as both of its texts.
        MaxDocumentTokens = parsed.GetValue(flags.DocumentLength) ?? (IsReranker(contract, flags, parsed) && contract.PairTemplate.Length == 0 ? contract.MaxQueryTokens + contract.MaxDocumentTokens : contract.MaxDocumentTokens),
        PairTemplate = !IsReranker(contract, flags, parsed) ? "" : contract.PairTemplate.Length > 0 ? contract.PairTemplate : PairTexts.Template,
        QueryPrefix = parsed.GetValue(flags.QueryPrefix) ?? contract.QueryPrefix,
        DocumentPrefix = parsed.GetValue(flags.DocumentPrefix) ?? contract.DocumentPrefix,
        QueryTopTerms = parsed.GetValue(flags.QueryTopTerms) ?? contract.QueryTopTerms,
        DocumentTopTerms = parsed.GetValue(flags.DocumentTopTerms) ?? contract.DocumentTopTerms,
        Causal = contract.Causal || parsed.GetValue(flags.Causal),
        Precision = flags.Compute.Read(parsed).Precision is ProductPrecision.BFloat16 ? ProductPrecision.BFloat16.ToName() : contract.Precision,
    };

    private static bool IsReranker(RetrieverContract contract, TrainFlags flags, ParseResult parsed) =>
        parsed.GetValue(flags.Type) is { } type ? type == TrainFlags.Reranker : contract.PairTemplate.Length > 0;

    private static void Delete(string? directory)
    {
        if (directory is not null && Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
