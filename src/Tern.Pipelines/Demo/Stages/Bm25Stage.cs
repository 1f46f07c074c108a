using Tern.Retrieval;
using Tern.Text;

namespace Tern.Pipelines.Demo.Stages;

/// <summary>Size and speed of one system; the ranking's quality comes from its run.</summary>
internal sealed record SearchFigures(double IndexMb, double UsPerQuery, double EncodeUsPerQuery, double QueryNonZeros);

/// <summary>The baseline: Porter-stemmed words under Lucene's BM25.</summary>
internal sealed class Bm25Stage() : DemoStage(StageNames.Bm25, "Index and search with BM25")
{
    public override IReadOnlyList<string> After => [StageNames.Collection];

    public override string Inputs(DemoContext context) => FormattableString.Invariant($"{context.Recipe.SearchDepth}");

    public override IReadOnlyList<string> Outputs(DemoContext context) =>
        [context.Paths.Index("bm25"), context.Paths.Run("bm25", "dev"), context.Paths.Run("bm25", "test")];

    public override StageOutcome Run(DemoContext context, CancellationToken cancellation)
    {
        DemoCollection collection = context.Collection;
        string directory = context.Paths.Index("bm25");
        IndexWriter.WriteBm25(directory, collection.Documents, context.IndexOptions("analysing"), cancellation);
        using Bm25Index index = Bm25Index.Open(directory);
        int depth = context.Recipe.SearchDepth;
        foreach ((string split, IReadOnlyList<JudgedQuery> queries) in new[] { ("dev", collection.Dev), ("test", collection.Test) })
        {
            cancellation.ThrowIfCancellationRequested();
            SparseVector[] vectors = [.. queries.Select(q => index.Query(Terms(q.Text)))];
            context.SaveRun("bm25", split, SplitSearch.ToRun("bm25", queries, index.Index.SearchBatch(vectors, depth, context.Threads), index.ExternalId));
        }

        List<string>[] terms = [.. collection.Test.Select(q => Terms(q.Text))];
        double search = SplitSearch.MicrosecondsPerQuery(terms.Length, i => index.Search(terms[i], depth));
        double analysis = SplitSearch.MicrosecondsPerQuery(terms.Length, i => Terms(collection.Test[i].Text));
        var figures = new SearchFigures(Math.Round(index.ByteCount / 1e6, 2), search, analysis, Math.Round(terms.Average(t => t.Count), 1));
        return new StageOutcome(FormattableString.Invariant($"{figures.IndexMb:0.0} MB, {search:#,0} µs a query"), figures);
    }

    private static List<string> Terms(string text)
    {
        var terms = new List<string>();
        WordAnalyzer.English.Analyze(text, terms);
        return terms;
    }
}
