using Tern.Compute;
using Tern.Compute.Cpu;
using Tern.Model;
using Tern.Text;

namespace Tern.Training.Tests;

/// <summary>Models and training sets small enough to train within a test; all made from seeds.</summary>
internal static class TinyModels
{
    public const int VocabularySize = 60;

    public static LlamaConfig Config { get; } = new()
    {
        HiddenSize = 16,
        IntermediateSize = 24,
        LayerCount = 2,
        HeadCount = 2,
        KeyValueHeadCount = 1,
        HeadSize = 8,
        VocabularySize = VocabularySize,
        TieWordEmbeddings = true,
    };

    /// <summary>A run with teacher and FLOPS weights, as a sparse network takes it; <see cref="Suited"/> fits it to either head.</summary>
    public static TrainingOptions Options { get; } = new()
    {
        StepCount = 20,
        BatchSize = 8,
        NegativeCount = 2,
        Objective = TrainingObjective.InfoNceAndKlDivergence,
        LearningRate = 0.01f,
        QueryFlopsWeight = 0.01f,
        DocumentFlopsWeight = 0.01f,
        Seed = 4,
    };

    public static TrainingOptions Suited(TrainingOptions options, RepresentationKind kind) => kind == RepresentationKind.Sparse
        ? options
        : options with { Temperature = 0.1f, QueryFlopsWeight = 0f, DocumentFlopsWeight = 0f };

    public static RetrieverNetwork Network(IBackend backend, RepresentationKind kind, int seed = 1, float embeddingDeviation = 0.5f, LlamaConfig? config = null)
    {
        config ??= Config;
        bool sparse = kind == RepresentationKind.Sparse;
        LlamaInitialization initialization = new()
        {
            Seed = seed,
            EmbeddingStandardDeviation = embeddingDeviation,
            ProjectionStandardDeviation = 0.2f,
            TermBias = sparse ? -0.3f : null,
        };
        RetrieverContract contract = RetrieverContract.Lion(kind, config) with { HasTermBias = sparse, AddBos = false };
        return new RetrieverNetwork(backend, LlamaWeights.Random(backend, config, initialization, trainable: true), contract);
    }

    public static CpuBackend Backend(int threads = 1, ProductPrecision precision = ProductPrecision.Float32) => new(threads, precision);

    /// <summary>Texts are numbers apart by blanks; a number is its token.</summary>
    public static TrainingSet Set(IEnumerable<TrainingExample> examples, IEnumerable<Document> documents) => TrainingSet.Create(
        examples,
        documents,
        (text, tokens) => tokens.AddRange(Numbers(text)),
        (document, tokens) => tokens.AddRange(Numbers(document.Text)),
        "made-up examples");

    /// <summary>
    /// Documents of random words from the lower half of the vocabulary and a query for each, in the words of the upper half
    /// that mean the same, so that matching words alone finds nothing. Negatives and their scores are random.
    /// </summary>
    public static (List<TrainingExample> Examples, List<Document> Documents) Translated(int count, int negativeCount = 0, ulong seed = 5)
    {
        SeededRandom random = new(seed, 0, 0);
        List<Document> documents = [];
        List<TrainingExample> examples = [];
        for (int i = 0; i < count; i++)
        {
            int[] words = new int[4 + random.Below(4)];
            for (int w = 0; w < words.Length; w++)
            {
                words[w] = random.Below(VocabularySize / 2);
            }

            documents.Add(new Document($"d{i}", "", string.Join(' ', words)));
            string query = string.Join(' ', words[..3].Select(w => w + VocabularySize / 2));
            string[] negatives = new string[negativeCount];
            float[] scores = new float[negativeCount];
            for (int n = 0; n < negativeCount; n++)
            {
                negatives[n] = $"d{(i + 1 + n * 3) % count}";
                scores[n] = random.Below(1000) / 250f - 2f;
            }

            examples.Add(new TrainingExample(query, $"d{i}", negatives, 3f, scores));
        }

        return (examples, documents);
    }

    public static TrainingSet TranslatedSet(int count, int negativeCount = 0)
    {
        (List<TrainingExample> examples, List<Document> documents) = Translated(count, negativeCount);
        return Set(examples, documents);
    }

    private static IEnumerable<int> Numbers(string text) =>
        text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(n => int.Parse(n, System.Globalization.CultureInfo.InvariantCulture));
}

/// <summary>Calls back on the thread that reports, unlike <see cref="Progress{T}"/>.</summary>
internal sealed class Observer(Action<TrainingProgress> observe) : IProgress<TrainingProgress>
{
    public void Report(TrainingProgress value) => observe(value);
}

/// <summary>A folder of its own for one test, deleted with all it holds.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    public TemporaryDirectory() => Path = Directory.CreateTempSubdirectory("tern-training-").FullName;

    public string Path { get; }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
