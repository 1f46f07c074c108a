namespace Tern.Pipelines.Demo;

/// <summary>Everything that <c>report.html</c> shows: the results and, beside them, what only a reader wants to see.</summary>
public sealed record DemoReport
{
    public required DemoResults Results { get; init; }

    public required IReadOnlyList<CurvePoint> SparseCurve { get; init; }

    public required IReadOnlyList<CurvePoint> DenseCurve { get; init; }

    /// <summary>One entry per test query.</summary>
    public required IReadOnlyList<QueryOutcome> Outcomes { get; init; }

    public required IReadOnlyList<ExplainedQuery> Examples { get; init; }
}

/// <summary>One logged training step. Non-zeros are per query and per document, 0 for a dense model.</summary>
public sealed record CurvePoint(int Step, double Loss, double QueryNonZeros, double DocumentNonZeros);

/// <summary>RR@10 of one test query under each system, with the names of the document sought and of what came first.</summary>
public sealed record QueryOutcome(string QueryId, string Query, double Bm25, double Dense, double Sparse, double Hybrid, string Sought, string Bm25First, string SparseFirst)
{
    public double SparseGain => Sparse - Bm25;
}

/// <summary>
/// A query, its best hit and why they match. <paramref name="QueryTerms"/> come heaviest first, <paramref name="Matches"/>
/// by contribution; <paramref name="Fired"/> marks the pieces of <paramref name="Text"/> that the matched weights came from.
/// </summary>
public sealed record ExplainedQuery(
    string Query,
    IReadOnlyList<QueryTerm> QueryTerms,
    string Name,
    string Summary,
    string Text,
    float Score,
    IReadOnlyList<MatchedTerm> Matches,
    IReadOnlyList<FiredSpan> Fired,
    IReadOnlyList<string> RunnersUp);

/// <summary>Characters of a hit's text; <paramref name="Strength"/> is its share of the heaviest piece's contribution, 0 to 1.</summary>
public readonly record struct FiredSpan(int Start, int Length, float Strength);
