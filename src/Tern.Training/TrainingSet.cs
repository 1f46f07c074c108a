using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Tern.Text;

namespace Tern.Training;

/// <summary>
/// Training examples with every text they name, tokenised once as the model's contract says. Documents that no example
/// names are not kept. Immutable; safe for concurrent use.
/// </summary>
public sealed class TrainingSet
{
    private readonly TokenTable _queries = new();
    private readonly TokenTable _documents = new();
    private readonly List<int> _positives = [];
    private readonly List<int> _negatives = [];
    private readonly List<int> _negativeStarts = [0];
    private readonly List<float> _positiveScores = [];
    private readonly List<float> _negativeScores = [];
    private readonly List<int> _queryGroups = [];
    private readonly List<List<int>> _groupPositives = [];
    private string? _fingerprint;

    private TrainingSet(string source)
    {
        Source = source;
    }

    /// <summary>How messages call the examples, such as their file.</summary>
    public string Source { get; }

    public int ExampleCount => _positives.Count;

    public int DocumentCount => _documents.Count;

    /// <summary>True when every example carries teacher scores.</summary>
    public bool HasTeacherScores { get; private set; } = true;

    /// <summary>Mean tokens of a query plus those of its positive.</summary>
    public double MeanPairTokens { get; private set; }

    /// <summary>Hash of all tokens, candidates and scores; a checkpoint records it and is resumed on the same set only.</summary>
    public string Fingerprint => _fingerprint ??= ComputeFingerprint();

    /// <summary>
    /// Reads the examples, then streams the documents and keeps those that an example names; the functions append a
    /// text's token ids.
    /// </summary>
    /// <exception cref="InvalidDataException">No examples, an id without a document (named with its example), a document id twice, or scores that do not fit.</exception>
    public static TrainingSet Create(IEnumerable<TrainingExample> examples, IEnumerable<Document> documents, Action<string, List<int>> encodeQuery, Action<Document, List<int>> encodeDocument, string source = "training examples")
    {
        ArgumentNullException.ThrowIfNull(examples);
        ArgumentNullException.ThrowIfNull(documents);
        TrainingSet set = new(source);
        Dictionary<string, (int Index, int FirstExample)> named = [];
        Dictionary<string, int> groups = [];
        List<int> tokens = [];
        foreach (TrainingExample example in examples)
        {
            set.AddExample(example, named, groups);
            tokens.Clear();
            encodeQuery(example.Query, tokens);
            set._queries.Add(CollectionsMarshal.AsSpan(tokens));
        }

        if (set.ExampleCount == 0)
        {
            throw new InvalidDataException($"{source}: no training examples");
        }

        set.AddDocuments(documents, named, encodeDocument);
        long pairTokens = 0;
        for (int i = 0; i < set.ExampleCount; i++)
        {
            pairTokens += set._queries[i].Length + set._documents[set._positives[i]].Length;
        }

        set.MeanPairTokens = (double)pairTokens / set.ExampleCount;
        return set;
    }

    internal ReadOnlySpan<int> QueryTokens(int example) => _queries[example];

    internal ReadOnlySpan<int> DocumentTokens(int document) => _documents[document];

    internal int Positive(int example) => _positives[example];

    internal ReadOnlySpan<int> Negatives(int example) => Slice(_negatives, example);

    internal float PositiveScore(int example) => _positiveScores[example];

    internal ReadOnlySpan<float> NegativeScores(int example) => Slice(_negativeScores, example);

    /// <summary>True when the positive and every negative have a teacher score.</summary>
    internal bool HasScores(int example)
    {
        float sum = _positiveScores[example];
        foreach (float score in NegativeScores(example))
        {
            sum += score;
        }

        return float.IsFinite(sum);
    }

    /// <summary>True when the document is the positive of any example with this example's query text.</summary>
    internal bool IsKnownPositive(int example, int document) => _groupPositives[_queryGroups[example]].Contains(document);

    /// <summary>How messages call one example: source and 1-based number.</summary>
    internal string Describe(int example) => $"{Source}: example {example + 1}";

    private ReadOnlySpan<T> Slice<T>(List<T> values, int example) =>
        CollectionsMarshal.AsSpan(values)[_negativeStarts[example].._negativeStarts[example + 1]];

    private void AddExample(TrainingExample example, Dictionary<string, (int Index, int FirstExample)> named, Dictionary<string, int> groups)
    {
        int index = ExampleCount;
        if (example.NegativeScores is { } scores && scores.Count != example.NegativeIds.Count)
        {
            throw new InvalidDataException($"{Describe(index)}: {scores.Count} negative scores for {example.NegativeIds.Count} negatives");
        }

        int positive = Name(example.PositiveId);
        _positives.Add(positive);
        _positiveScores.Add(example.PositiveScore ?? float.NaN);
        for (int i = 0; i < example.NegativeIds.Count; i++)
        {
            _negatives.Add(Name(example.NegativeIds[i]));
            _negativeScores.Add(example.NegativeScores?[i] ?? float.NaN);
        }

        _negativeStarts.Add(_negatives.Count);
        HasTeacherScores &= HasScores(index);
        if (!groups.TryGetValue(example.Query, out int group))
        {
            group = groups[example.Query] = _groupPositives.Count;
            _groupPositives.Add([]);
        }

        _queryGroups.Add(group);
        if (!_groupPositives[group].Contains(positive))
        {
            _groupPositives[group].Add(positive);
        }

        int Name(string id)
        {
            if (!named.TryGetValue(id, out (int Index, int FirstExample) entry))
            {
                entry = (named.Count, index);
                named.Add(id, entry);
            }

            return entry.Index;
        }
    }

    private void AddDocuments(IEnumerable<Document> documents, Dictionary<string, (int Index, int FirstExample)> named, Action<Document, List<int>> encode)
    {
        int[]?[] found = new int[named.Count][];
        List<int> tokens = [];
        foreach (Document document in documents)
        {
            if (!named.TryGetValue(document.Id, out (int Index, int FirstExample) entry))
            {
                continue;
            }

            if (found[entry.Index] is not null)
            {
                throw new InvalidDataException($"document id '{document.Id}' occurs twice in the corpus; ids must be unique");
            }

            tokens.Clear();
            encode(document, tokens);
            found[entry.Index] = [.. tokens];
        }

        foreach ((string id, (int index, int firstExample)) in named)
        {
            if (found[index] is null)
            {
                throw new InvalidDataException($"{Describe(firstExample)} names document '{id}', which the corpus does not have");
            }
        }

        foreach (int[]? document in found)
        {
            _documents.Add(document);
        }
    }

    private string ComputeFingerprint()
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(_queries.AllTokens);
        Append(_queries.Starts);
        Append(_documents.AllTokens);
        Append(_documents.Starts);
        Append(CollectionsMarshal.AsSpan(_positives));
        Append(CollectionsMarshal.AsSpan(_negatives));
        Append(CollectionsMarshal.AsSpan(_negativeStarts));
        Append(CollectionsMarshal.AsSpan(_queryGroups));
        Append(CollectionsMarshal.AsSpan(_positiveScores));
        Append(CollectionsMarshal.AsSpan(_negativeScores));
        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Append<T>(ReadOnlySpan<T> values)
            where T : unmanaged => hash.AppendData(MemoryMarshal.AsBytes(values));
    }
}
