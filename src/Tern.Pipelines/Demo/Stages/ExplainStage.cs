using Tern.Compute;
using Tern.Model;

namespace Tern.Pipelines.Demo.Stages;

internal sealed record ExplainFigures(int Examples);

/// <summary>Answers the example queries with the sparse model and takes each best score apart, down to the words it came from.</summary>
internal sealed class ExplainStage() : DemoStage(StageNames.Explain, "Explain three queries")
{
    private const int ExampleCount = 3;
    private const int HitCount = 5;

    private static readonly string[] NewcomersQuestions = ["make a copy of part of an array", "wait until all the tasks are done", "turn an object into a json string"];

    public override IReadOnlyList<string> After => [StageNames.IndexSparse, StageNames.Evaluation];

    public override string Inputs(DemoContext context) => string.Join('\n', context.Options.ExampleQueries);

    public override IReadOnlyList<string> Outputs(DemoContext context) => [context.Paths.Examples];

    public override StageOutcome Run(DemoContext context, CancellationToken cancellation)
    {
        using IBackend backend = context.CreateBackend();
        using RetrieverModel model = context.LoadModel(backend, RepresentationKind.Sparse);
        using Retriever retriever = Retriever.Open(context.Paths.Index("sparse"), model);
        var examples = new List<ExplainedQuery>();
        foreach (string query in Queries(context))
        {
            IReadOnlyList<SearchResult> hits = retriever.Search(query, HitCount);
            if (hits.Count > 0)
            {
                examples.Add(Explain(query, retriever.Explain(query, hits[0].Id), hits.Skip(1)));
            }
        }

        ResultsFile.Save(context.Paths.Examples, examples);
        return new StageOutcome(string.Join("; ", examples.Select(e => $"“{e.Query}”")), new ExplainFigures(examples.Count));
    }

    /// <summary>Those asked for; else a newcomer's questions for the SDK; else the test queries where sparse gains most over BM25.</summary>
    private static IReadOnlyList<string> Queries(DemoContext context)
    {
        if (context.Options.ExampleQueries.Count > 0)
        {
            return context.Options.ExampleQueries;
        }

        if (context.Options.DataDirectory is null)
        {
            return NewcomersQuestions;
        }

        EvaluationFigures evaluation = context.Figures<EvaluationFigures>(StageNames.Evaluation);
        IReadOnlyList<double> sparse = evaluation.Systems["sparse"].ReciprocalRanks, bm25 = evaluation.Systems["bm25"].ReciprocalRanks;
        Dictionary<string, string> texts = context.Collection.Test.ToDictionary(q => q.Id, q => q.Text, StringComparer.Ordinal);
        return
        [
            .. Enumerable.Range(0, evaluation.Topics.Count)
                .Where(i => texts.ContainsKey(evaluation.Topics[i]))
                .OrderByDescending(i => sparse[i] - bm25[i])
                .Take(ExampleCount)
                .Select(i => texts[evaluation.Topics[i]]),
        ];
    }

    private static ExplainedQuery Explain(string query, QueryExplanation explanation, IEnumerable<SearchResult> others)
    {
        SearchResult best = explanation.Result;
        return new ExplainedQuery(
            query,
            explanation.QueryTerms,
            best.Document?.Name ?? best.Id,
            best.Document?.Summary ?? "",
            best.Document?.Text ?? "",
            best.Score,
            best.Terms,
            Fired(explanation),
            [.. others.Select(o => o.Document?.Name ?? o.Id)]);
    }

    /// <summary>Each matched term's weight is a maximum over the document's tokens; its contribution goes to the token that holds it.</summary>
    private static List<FiredSpan> Fired(QueryExplanation explanation)
    {
        var bySpan = new SortedDictionary<int, (int Length, float Sum)>();
        for (int i = 0; i < explanation.Spans.Count; i++)
        {
            if (explanation.Spans[i] is { Length: > 0 } span)
            {
                float sum = bySpan.TryGetValue(span.Start, out (int Length, float Sum) earlier) ? earlier.Sum : 0f;
                bySpan[span.Start] = (span.Length, sum + explanation.Result.Terms[i].Contribution);
            }
        }

        float most = bySpan.Values.Select(s => s.Sum).DefaultIfEmpty(1f).Max();
        return [.. bySpan.Select(s => new FiredSpan(s.Key, s.Value.Length, s.Value.Sum / most))];
    }
}
