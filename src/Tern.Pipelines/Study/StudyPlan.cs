using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Tern.Training;

namespace Tern.Pipelines.Study;

/// <summary>One of the plan's model shapes; a Llama with tied embeddings.</summary>
public sealed record StudySize
{
    public required string Name { get; init; }

    public required int HiddenSize { get; init; }

    public required int LayerCount { get; init; }

    public required int HeadCount { get; init; }

    public required int KeyValueHeadCount { get; init; }

    public required int IntermediateSize { get; init; }

    /// <summary>The objectives' learning rates are multiplied by this, 1 where the plan does not say: wide models take smaller steps.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public float? LearningRateFactor { get; init; }

    /// <summary>Weights of the blocks and the last norm, without the vocabulary's.</summary>
    public long NonEmbeddingParameters
    {
        get
        {
            long head = HiddenSize / HeadCount;
            long attention = (2L * HiddenSize * HiddenSize) + (2L * HiddenSize * KeyValueHeadCount * head);
            return (LayerCount * (attention + (3L * HiddenSize * IntermediateSize))) + NormParameters;
        }
    }

    /// <summary>Of which no product is made.</summary>
    internal long NormParameters => (2L * LayerCount * HiddenSize) + HiddenSize;
}

/// <summary>One of the plan's objectives with the course of training that goes with it.</summary>
public sealed record StudyObjective
{
    /// <summary>As the tables call it, such as <c>CL+KD</c>.</summary>
    public required string Name { get; init; }

    /// <summary>As <see cref="TrainingObjective.Parse"/> knows it.</summary>
    public required string Loss { get; init; }

    public required int BatchSize { get; init; }

    /// <summary>Hard negatives of a query.</summary>
    public int NegativeCount { get; init; }

    public required float LearningRate { get; init; }

    internal bool UsesTeacher => TrainingObjective.Parse(Loss).UsesTeacher;
}

/// <summary>A collection in BEIR's layout.</summary>
public sealed record StudyCollection
{
    public required string Name { get; init; }

    /// <summary>Relative to the plan's file.</summary>
    public required string Directory { get; init; }
}

/// <summary>
/// A comparative study as data: every combination of size, type, objective and seed is a cell, and every cell is trained with the
/// same number of floating-point operations. Read from one JSON file with snake_case names; paths in it are relative to it.
/// </summary>
public sealed record StudyPlan
{
    public required string Name { get; init; }

    public required StudyCollection Train { get; init; }

    /// <summary>Teacher scores of the train queries, JSON lines {"qid", "pos": [[id, score]], "neg": [[id, score], …]}; hard negatives come from here too.</summary>
    public required string Teacher { get; init; }

    /// <summary>The first is usually the collection trained on, the others are out of its domain.</summary>
    public required IReadOnlyList<StudyCollection> Evaluate { get; init; }

    public required IReadOnlyList<StudySize> Sizes { get; init; }

    // Not init: the generated reader of JSON would set what a file leaves out, to zero.

    /// <summary><c>sparse</c>, <c>dense</c> or both.</summary>
    public IReadOnlyList<string> Types { get; set; } = ["sparse", "dense"];

    public required IReadOnlyList<StudyObjective> Objectives { get; init; }

    public IReadOnlyList<int> Seeds { get; set; } = [1];

    /// <summary>Floating-point operations that the training of one cell may take, counted as <see cref="Compute.Counting.FlopCounts"/> says.</summary>
    public required double BudgetFlops { get; init; }

    public int VocabularySize { get; set; } = 8000;

    public int MaxQueryTokens { get; set; } = 32;

    public int MaxDocumentTokens { get; set; } = 96;

    public float WarmupRatio { get; set; } = 0.04f;

    public float QueryFlopsWeight { get; set; } = 0.03f;

    public float DocumentFlopsWeight { get; set; } = 0.025f;

    public float DenseTemperature { get; set; } = 0.02f;

    /// <summary>Teacher scores are divided by this before a softmax or a margin is taken.</summary>
    public float TeacherTemperature { get; set; } = 1f;

    /// <summary>Null for no sweep.</summary>
    public StudyRobustness? Robustness { get; set; }

    /// <summary>Hits kept of a query.</summary>
    public int SearchDepth { get; set; } = 1000;

    /// <summary>Floating-point operations of a token when a text is encoded, attention's not counted: the blocks, and for a sparse vector the vocabulary.</summary>
    public double EncodingFlopsPerToken(StudySize size, string type) =>
        (2.0 * (size.NonEmbeddingParameters - size.NormParameters)) + (type == "sparse" ? 2.0 * VocabularySize * size.HiddenSize : 0);

    /// <summary>Every cell, sizes outermost, seeds innermost; those that learn from errors after all others.</summary>
    public IReadOnlyList<StudyCell> Cells() =>
    [
        .. from size in Sizes from type in Types from objective in Objectives from seed in Seeds select new StudyCell(size, type, objective, seed, StudyErrors.None),
        .. Robustness is not { } sweep ? []
            : from name in sweep.Sizes
              from type in Types
              from objective in Objectives
              from errors in sweep.WrongPositiveShares.Select(share => new StudyErrors(share, 0)).Concat(objective.UsesTeacher ? sweep.TeacherNoises.Select(noise => new StudyErrors(0, noise)) : [])
              from seed in sweep.Seeds.Count > 0 ? sweep.Seeds : Seeds
              select new StudyCell(Sizes.Single(s => s.Name == name), type, objective, seed, errors),
    ];

    /// <exception cref="InvalidDataException">The file is not a plan, or a value in it is out of range; says which.</exception>
    public static StudyPlan Read(string path)
    {
        StudyPlan plan;
        try
        {
            plan = JsonSerializer.Deserialize(File.ReadAllText(path), StudyJsonContext.Default.StudyPlan) ?? throw new InvalidDataException($"{path}: holds no plan");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"{path}:{error.LineNumber + 1}: {error.Message}"), error);
        }

        plan.Validate(path);
        string root = Path.GetDirectoryName(Path.GetFullPath(path))!;
        return plan with
        {
            Train = Rooted(plan.Train),
            Teacher = Path.Combine(root, plan.Teacher),
            Evaluate = [.. plan.Evaluate.Select(Rooted)],
        };

        StudyCollection Rooted(StudyCollection collection) => collection with { Directory = Path.Combine(root, collection.Directory) };
    }

    private void Validate(string path)
    {
        Require(Evaluate.Count > 0, "evaluate", "at least one collection");
        Require(Sizes.Count > 0, "sizes", "at least one size");
        Require(Objectives.Count > 0, "objectives", "at least one objective");
        Require(Types.Count > 0 && Types.All(t => t is "sparse" or "dense"), "types", "sparse, dense or both");
        Require(Seeds.Count > 0 && Seeds.All(s => s >= 0), "seeds", "at least one seed, none below 0");
        Require(BudgetFlops >= 1 && double.IsFinite(BudgetFlops), "budget_flops", "a number of floating-point operations");
        Require(VocabularySize >= 300, "vocabulary_size", "at least 300");
        Require(MaxQueryTokens > 0 && MaxDocumentTokens > 0, "max_query_tokens and max_document_tokens", "at least 1");
        Require(TeacherTemperature > 0, "teacher_temperature", "above 0");
        Require(DenseTemperature > 0, "dense_temperature", "above 0");
        Require(SearchDepth > 0, "search_depth", "at least 1");
        foreach (StudySize size in Sizes)
        {
            Require(size is { HiddenSize: > 0, LayerCount: > 0, HeadCount: > 0, KeyValueHeadCount: > 0, IntermediateSize: > 0 }
                && size.HiddenSize % size.HeadCount == 0 && size.HiddenSize / size.HeadCount % 2 == 0 && size.HeadCount % size.KeyValueHeadCount == 0,
                $"size '{size.Name}'", "a hidden size that its heads divide into even head sizes, and heads that the key/value heads divide");
            Require(size.LearningRateFactor is null or (> 0 and <= 1), $"size '{size.Name}'", "a learning_rate_factor above 0, at most 1");
        }

        foreach (StudyObjective objective in Objectives)
        {
            try
            {
                Require(objective.BatchSize > 0 && objective.LearningRate > 0 && objective.NegativeCount >= (objective.UsesTeacher ? 1 : 0), $"objective '{objective.Name}'", "a batch, a learning rate, and at least one negative where there is a teacher");
            }
            catch (ArgumentException error)
            {
                throw new InvalidDataException($"{path}: objective '{objective.Name}': {error.Message}", error);
            }
        }

        Distinct(Sizes.Select(s => s.Name), "sizes");
        Distinct(Objectives.Select(o => o.Name), "objectives");
        Distinct(Evaluate.Select(e => e.Name), "evaluate");
        if (Robustness is { } sweep)
        {
            Require(sweep.Sizes.Count > 0 && sweep.Sizes.All(name => Sizes.Any(s => s.Name == name)) && sweep.Sizes.Distinct().Count() == sweep.Sizes.Count, "robustness.sizes", "names of sizes of the plan, each once");
            Require(sweep.Seeds.All(Seeds.Contains), "robustness.seeds", "seeds of the plan, with whose cells they are compared");
            Require(sweep.WrongPositiveShares.All(s => s is > 0 and <= 1), "robustness.wrong_positive_shares", "above 0, at most 1");
            Require(sweep.TeacherNoises.All(n => n > 0 && double.IsFinite(n)), "robustness.teacher_noises", "above 0");
            Require(sweep.WrongPositiveShares.Count + sweep.TeacherNoises.Count > 0, "robustness", "wrong_positive_shares, teacher_noises or both");
        }

        void Distinct(IEnumerable<string> names, string what) =>
            Require(names.GroupBy(n => n, StringComparer.Ordinal).All(g => g.Count() == 1 && StudyCell.IsFileName(g.Key)), what, "different names of letters, digits, '.', '_', '+' and '-'");

        void Require(bool condition, string what, string wanted)
        {
            if (!condition)
            {
                throw new InvalidDataException($"{path}: {what}: must be {wanted}");
            }
        }
    }
}

/// <summary>One combination of the plan, and what its files are called.</summary>
public sealed record StudyCell(StudySize Size, string Type, StudyObjective Objective, int Seed, StudyErrors Errors)
{
    public string Name => string.Create(CultureInfo.InvariantCulture, $"{Size.Name}-{Type}-{Objective.Name}-s{Seed}{Errors.Suffix}");

    internal static bool IsFileName(string name) => name.Length > 0 && name[0] != '.' && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '+' or '-');
}
