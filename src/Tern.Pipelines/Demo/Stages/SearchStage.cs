using Tern.Compute;
using Tern.Model;

namespace Tern.Pipelines.Demo.Stages;

/// <summary>Searches the dev and test queries with one model.</summary>
internal sealed class SearchStage(RepresentationKind kind)
    : DemoStage(kind == RepresentationKind.Sparse ? StageNames.SearchSparse : StageNames.SearchDense, $"Search, {TrainingStage.Word(kind)}")
{
    private const int TimedEncodings = 100;

    public override IReadOnlyList<string> After => [kind == RepresentationKind.Sparse ? StageNames.IndexSparse : StageNames.IndexDense];

    public override string Inputs(DemoContext context) => FormattableString.Invariant($"{context.Recipe.SearchDepth}");

    public override IReadOnlyList<string> Outputs(DemoContext context) =>
        [context.Paths.Run(TrainingStage.Word(kind), "dev"), context.Paths.Run(TrainingStage.Word(kind), "test")];

    public override StageOutcome Run(DemoContext context, CancellationToken cancellation)
    {
        string word = TrainingStage.Word(kind), directory = context.Paths.Index(word);
        using IBackend backend = context.CreateBackend();
        using RetrieverModel model = context.LoadModel(backend, kind);
        using ModelSearch search = kind == RepresentationKind.Sparse
            ? new SparseModelSearch(directory, texts => model.EncodeSparse(texts, RetrievalSide.Query, cancellation))
            : new DenseModelSearch(directory, texts => model.EncodeDense(texts, RetrievalSide.Query, cancellation));
        Search(context, search, word, "dev");
        cancellation.ThrowIfCancellationRequested();
        SearchFigures figures = Search(context, search, word, "test") with { EncodeUsPerQuery = EncodeMicroseconds(context) };
        string nonZeros = kind == RepresentationKind.Sparse ? FormattableString.Invariant($", {figures.QueryNonZeros:0} terms a query") : "";
        return new StageOutcome(FormattableString.Invariant($"{figures.UsPerQuery:#,0} µs a query{nonZeros}"), figures);
    }

    /// <summary>Searches a split into a run named after <paramref name="system"/> and times the search of single queries.</summary>
    public static SearchFigures Search(DemoContext context, ModelSearch search, string system, string split)
    {
        int depth = context.Recipe.SearchDepth;
        IReadOnlyList<JudgedQuery> queries = split == "dev" ? context.Collection.Dev : context.Collection.Test;
        search.Encode([.. queries.Select(q => q.Text)]);
        context.SaveRun(system, split, SplitSearch.ToRun(system, queries, search.SearchAll(depth, context.Threads), search.ExternalId));
        double us = split == "dev" ? 0 : SplitSearch.MicrosecondsPerQuery(queries.Count, i => search.Search(i, depth));
        return new SearchFigures(Math.Round(search.ByteCount / 1e6, 2), us, 0, search.NonZeros);
    }

    /// <summary>One query at a time on one thread, as a user's query comes.</summary>
    private double EncodeMicroseconds(DemoContext context)
    {
        using IBackend backend = context.CreateBackend(threads: 1);
        using RetrieverModel model = context.LoadModel(backend, kind);
        string[][] texts = [.. context.Collection.Test.Take(TimedEncodings).Select(q => new[] { q.Text })];
        return kind == RepresentationKind.Sparse
            ? SplitSearch.MicrosecondsPerQuery(texts.Length, i => model.EncodeSparse(texts[i], RetrievalSide.Query))
            : SplitSearch.MicrosecondsPerQuery(texts.Length, i => model.EncodeDense(texts[i], RetrievalSide.Query));
    }
}
