namespace Tern;

/// <summary>A document found: rank order is list order. <see cref="Document"/> is null in an index without stored documents.</summary>
public sealed record SearchResult(string Id, float Score, StoredDocument? Document, IReadOnlyList<MatchedTerm> Terms);

/// <summary>
/// A term that query and document share, and what it adds to the score. <see cref="IsExpansion"/>: the term is not among
/// the query's own words; the model added it.
/// </summary>
public sealed record MatchedTerm(string Text, float QueryWeight, float DocumentWeight, float Contribution, bool IsExpansion);

/// <summary>A query's term with its weight, matched or not.</summary>
public sealed record QueryTerm(string Text, float Weight, bool IsExpansion);

/// <summary>Characters of a document's text; <see cref="Length"/> 0 stands for BOS, EOS or a prefix.</summary>
public readonly record struct TextSpan(int Start, int Length);

/// <summary>Why a document scores what it scores. Spans are aligned with the terms and null where the text is not stored.</summary>
public sealed record QueryExplanation(SearchResult Result, IReadOnlyList<QueryTerm> QueryTerms, IReadOnlyList<TextSpan?> Spans);
