using Tern.Retrieval;
using Tern.Text;

namespace Tern.Pipelines.Demo.Stages;

internal sealed record ExamplesFigures(int Examples, int Negatives);

/// <summary>Turns the train judgements into training examples, with BM25's wrong answers as hard negatives when the recipe asks for them.</summary>
internal sealed class ExamplesStage() : DemoStage(StageNames.Examples, "Write training examples")
{
    public override IReadOnlyList<string> After => [StageNames.Collection, StageNames.Bm25];

    public override string Inputs(DemoContext context) => FormattableString.Invariant($"{context.Recipe.HardNegativeCount > 0} {context.Recipe.MiningDepth}");

    public override IReadOnlyList<string> Outputs(DemoContext context) => [context.Paths.TrainingExamples];

    public override StageOutcome Run(DemoContext context, CancellationToken cancellation)
    {
        IReadOnlyList<JudgedQuery> queries = context.Collection.Train;
        IReadOnlyList<string>[] negatives = context.Recipe.HardNegativeCount > 0 ? Mine(context, queries, cancellation) : [];
        var examples = new List<TrainingExample>();
        for (int i = 0; i < queries.Count; i++)
        {
            // A query with several relevant documents becomes as many examples.
            examples.AddRange(queries[i].Relevant.Select(id => new TrainingExample(queries[i].Text, id, negatives.Length > 0 ? negatives[i] : [])));
        }

        TrainingExampleWriter.Write(context.Paths.TrainingExamples, examples);
        int negativeCount = negatives.Sum(n => n.Count);
        return new StageOutcome(
            FormattableString.Invariant($"{examples.Count:#,0} pairs") + (negativeCount > 0 ? FormattableString.Invariant($", {negativeCount:#,0} hard negatives by BM25") : ""),
            new ExamplesFigures(examples.Count, negativeCount));
    }

    private static IReadOnlyList<string>[] Mine(DemoContext context, IReadOnlyList<JudgedQuery> queries, CancellationToken cancellation)
    {
        using Bm25Index index = Bm25Index.Open(context.Paths.Index("bm25"));
        var mined = new IReadOnlyList<string>[queries.Count];
        int done = 0;
        var options = new ParallelOptions { MaxDegreeOfParallelism = context.Threads, CancellationToken = cancellation };
        Parallel.For(0, queries.Count, options, () => new List<string>(), (i, _, terms) =>
        {
            terms.Clear();
            WordAnalyzer.English.Analyze(queries[i].Text, terms);
            mined[i] = [.. index.Search(terms, context.Recipe.MiningDepth).Select(hit => index.ExternalId(hit.DocId)).Where(id => !queries[i].Relevant.Contains(id))];
            if (Interlocked.Increment(ref done) % 1000 == 0)
            {
                lock (mined)
                {
                    context.Observer.Progress("mining hard negatives", Volatile.Read(ref done), queries.Count);
                }
            }

            return terms;
        }, _ => { });
        return mined;
    }
}
