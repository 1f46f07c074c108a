namespace Tern.Text;

/// <summary>A passage to be found: external id, title (may be empty) and text.</summary>
public sealed record Document(string Id, string Title, string Text)
{
    private static readonly IReadOnlyDictionary<string, string> NoFields = new Dictionary<string, string>();

    /// <summary>What to call it in a list of results, from a corpus's metadata; never indexed. Empty where there is none.</summary>
    public string Name { get; init; } = "";

    /// <summary>What to show below the name, from a corpus's metadata; never indexed. Empty where there is none.</summary>
    public string Summary { get; init; } = "";

    /// <summary>The other texts, numbers and truth values of a corpus's metadata, as they are written; for filters.</summary>
    public IReadOnlyDictionary<string, string> Fields { get; init; } = NoFields;
}

/// <summary>A query with its topic id.</summary>
public sealed record Query(string Id, string Text);

/// <summary>
/// One query with a relevant passage and, in order of hardness or none, passages known or presumed not relevant.
/// Teacher scores are present for all of them or for none; <see cref="NegativeScores"/> is aligned with <see cref="NegativeIds"/>.
/// </summary>
public sealed record TrainingExample(string Query, string PositiveId, IReadOnlyList<string> NegativeIds, float? PositiveScore = null, IReadOnlyList<float>? NegativeScores = null);
