using Tern.Compute;
using Tern.Model;
using Tern.Retrieval;

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
        string word = TrainingStage.Word(kind);
        using IBackend backend = context.CreateBackend();
        using RetrieverModel model = context.LoadModel(backend, kind);
        SearchFigures figures = Search(context, model, context.Paths.Index(word), word, ["dev", "test"], cancellation);
        figures = figures with { EncodeUsPerQuery = EncodeMicroseconds(context) };
        string nonZeros = kind == RepresentationKind.Sparse ? FormattableString.Invariant($", {figures.QueryNonZeros:0} terms a query") : "";
        return new StageOutcome(FormattableString.Invariant($"{figures.UsPerQuery:#,0} µs a query{nonZeros}"), figures);
    }

    /// <summary>Searches the splits into runs named after <paramref name="system"/> and times the search in the last of them.</summary>
    public static SearchFigures Search(DemoContext context, RetrieverModel model, string index, string system, IReadOnlyList<string> splits, CancellationToken cancellation)
    {
        using IModelSearch search = model.Contract.Kind == RepresentationKind.Sparse ? new SparseModelSearch(index) : new DenseModelSearch(index);
        int depth = context.Recipe.SearchDepth;
        SearchFigures figures = new(0, 0, 0, 0);
        foreach (string split in splits)
        {
            IReadOnlyList<JudgedQuery> queries = split == "dev" ? context.Collection.Dev : context.Collection.Test;
            search.Encode(model, [.. queries.Select(q => q.Text)], cancellation);
            SplitSearch.Write(context.Paths.Run(system, split), system, queries, search.SearchAll(depth, context.Threads), search.ExternalId);
            if (split == splits[^1])
            {
                double us = SplitSearch.MicrosecondsPerQuery(queries.Count, i => search.Search(i, depth));
                figures = new SearchFigures(Math.Round(search.ByteCount / 1e6, 2), us, 0, search.NonZeros);
            }
        }

        return figures;
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

    /// <summary>Encoded queries over an index of either kind.</summary>
    private interface IModelSearch : IDisposable
    {
        long ByteCount { get; }

        /// <summary>Mean non-zeros of the queries encoded last; 0 for dense.</summary>
        double NonZeros { get; }

        void Encode(RetrieverModel model, IReadOnlyList<string> texts, CancellationToken cancellation);

        Hit[] Search(int query, int depth);

        Hit[][] SearchAll(int depth, int threads);

        string ExternalId(int docId);
    }

    private sealed class SparseModelSearch(string directory) : IModelSearch
    {
        private readonly SparseIndex _index = SparseIndex.Open(directory);
        private IReadOnlyList<SparseVector> _queries = [];

        public long ByteCount => _index.ByteCount;

        public double NonZeros => Math.Round(_queries.Average(q => (double)q.Count), 1);

        public void Encode(RetrieverModel model, IReadOnlyList<string> texts, CancellationToken cancellation) =>
            _queries = model.EncodeSparse(texts, RetrievalSide.Query, cancellation);

        public Hit[] Search(int query, int depth) => _index.Search(_queries[query], depth);

        public Hit[][] SearchAll(int depth, int threads) => _index.SearchBatch(_queries, depth, threads);

        public string ExternalId(int docId) => _index.ExternalId(docId);

        public void Dispose() => _index.Dispose();
    }

    private sealed class DenseModelSearch(string directory) : IModelSearch
    {
        private readonly DenseIndex _index = DenseIndex.Open(directory);
        private float[][] _queries = [];

        public long ByteCount => _index.ByteCount;

        public double NonZeros => 0;

        public void Encode(RetrieverModel model, IReadOnlyList<string> texts, CancellationToken cancellation) =>
            _queries = model.EncodeDense(texts, RetrievalSide.Query, cancellation);

        public Hit[] Search(int query, int depth) => _index.Search(_queries[query], depth);

        public Hit[][] SearchAll(int depth, int threads) => _index.SearchBatch(_queries, depth, threads);

        public string ExternalId(int docId) => _index.ExternalId(docId);

        public void Dispose() => _index.Dispose();
    }
}
