using Tern.Model;
using Tern.Pipelines.Demo;
using Tern.Pipelines.Demo.Stages;
using Tern.Retrieval;

namespace Tern.Pipelines.Study;

/// <summary>One trained cell on one collection: encodes and indexes its documents, searches the test queries, writes the run, measures it.</summary>
internal static class CellEvaluation
{
    private static readonly Measure Rr10 = Measure.Parse("RR@10");
    private static readonly Measure Ndcg10 = Measure.Parse("nDCG@10");
    private static readonly Measure R1000 = Measure.Parse("R@1000");

    /// <summary>What a collection's measures depend on besides the model.</summary>
    public static string Data(StudyPlan plan, EvaluationCollection collection) => FormattableString.Invariant($"{collection.Fingerprint}-{plan.SearchDepth}");

    public static CellMeasures Run(StudyPlan plan, StudyPaths paths, StudyCell cell, RetrieverModel model, EvaluationCollection collection, int threads, CancellationToken cancellation)
    {
        string directory = paths.Index(cell, collection.Name);
        if (!File.Exists(paths.Qrels(collection.Name)))
        {
            // Beside the runs, so that any evaluator can check the figures.
            Directory.CreateDirectory(Path.GetDirectoryName(paths.Qrels(collection.Name))!);
            string aside = FormattableString.Invariant($"{paths.Qrels(collection.Name)}.{Environment.ProcessId}"); // Cells of other processes may write it, too.
            collection.Qrels.Write(aside);
            File.Move(aside, paths.Qrels(collection.Name), overwrite: true);
        }

        try
        {
            IndexWriter.WriteLearned(directory, model, paths.Model(cell), collection.Documents, cancellationToken: cancellation);
            bool sparse = model.Contract.Kind == RepresentationKind.Sparse;
            using ModelSearch search = sparse
                ? new SparseModelSearch(directory, texts => model.EncodeSparse(texts, RetrievalSide.Query, cancellation))
                : new DenseModelSearch(directory, texts => model.EncodeDense(texts, RetrievalSide.Query, cancellation));
            JudgedQuery[] queries = [.. collection.Queries.Select(q => new JudgedQuery(q.Id, q.Text, []))];
            search.Encode([.. queries.Select(q => q.Text)]);
            cancellation.ThrowIfCancellationRequested();
            Run run = SplitSearch.ToRun(cell.Name, queries, search.SearchAll(plan.SearchDepth, threads), search.ExternalId);
            run.Write(paths.Run(cell, collection.Name));
            EvaluationReport report = TrecEval.Evaluate(collection.Qrels, run, [Rr10, Ndcg10, R1000], new EvaluationOptions { CompleteTopics = true });
            return new CellMeasures
            {
                Collection = collection.Name,
                Data = Data(plan, collection),
                Rr10 = report.Summary(Rr10),
                Ndcg10 = report.Summary(Ndcg10),
                R1000 = report.Summary(R1000),
                QueryNonZeros = sparse ? search.NonZeros : model.Dimension,
                DocumentNonZeros = sparse ? DocumentNonZeros(directory) : model.Dimension,
                MicrosecondsPerQuery = SplitSearch.MicrosecondsPerQuery(queries.Length, i => search.Search(i, plan.SearchDepth)),
                ReciprocalRanks = [.. report.PerTopic(Rr10).Select(v => Math.Round(v, 6))],
                Ndcg10PerQuery = [.. report.PerTopic(Ndcg10).Select(v => Math.Round(v, 6))],
            };
        }
        finally
        {
            if (Directory.Exists(directory))
            {
                Directory.Delete(directory, recursive: true); // The run and the model stay; an index is made again in seconds.
            }
        }
    }

    private static double DocumentNonZeros(string directory)
    {
        using SparseIndex index = SparseIndex.Open(directory);
        return Math.Round((double)index.PostingCount / index.DocumentCount, 1);
    }
}
