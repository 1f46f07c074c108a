using Tern.Compute;
using Tern.Model;
using Tern.Retrieval;

namespace Tern.Pipelines.Demo.Stages;

/// <summary>Encodes and searches everything again with the transformer blocks left out, to see what they are worth.</summary>
internal sealed class AblationStage(RepresentationKind kind)
    : DemoStage(kind == RepresentationKind.Sparse ? StageNames.AblationSparse : StageNames.AblationDense, $"Leave the blocks out, {TrainingStage.Word(kind)}")
{
    public override IReadOnlyList<string> After => [StageNames.Collection, kind == RepresentationKind.Sparse ? StageNames.TrainSparse : StageNames.TrainDense];

    public override string Inputs(DemoContext context) => FormattableString.Invariant($"{context.Recipe.SearchDepth}");

    public override IReadOnlyList<string> Outputs(DemoContext context) => [context.Paths.Run(System(kind), "test")];

    public override StageOutcome Run(DemoContext context, CancellationToken cancellation)
    {
        string directory = context.Paths.Index(System(kind));
        try
        {
            using ModelSearch search = kind == RepresentationKind.Sparse ? Sparse(context, directory) : Dense(context, directory, cancellation);
            cancellation.ThrowIfCancellationRequested();
            SearchFigures figures = SearchStage.Search(context, search, System(kind), "test");
            return new StageOutcome(FormattableString.Invariant($"{figures.IndexMb:0.0} MB, {figures.UsPerQuery:#,0} µs a query"), figures);
        }
        finally
        {
            // It is not what its model's fingerprint stands for, so it must not be left where a search could find it.
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Name of the system in run files.</summary>
    public static string System(RepresentationKind kind) => TrainingStage.Word(kind) + "-bypassed";

    private static SparseModelSearch Sparse(DemoContext context, string directory)
    {
        using IBackend backend = context.CreateBackend();
        using RetrieverNetwork network = RetrieverNetwork.Load(backend, context.Paths.Model(TrainingStage.Word(RepresentationKind.Sparse)));
        var lexical = new LexicalPath(network, context.Tokenizer);
        IReadOnlyList<SparseVector> vectors = lexical.Encode(context.Collection.Documents.Select(network.Contract.Compose), RetrievalSide.Document);
        var builder = new SparseIndexBuilder(directory, new SparseIndexOptions { VocabularySize = network.Dimension });
        for (int i = 0; i < vectors.Count; i++)
        {
            builder.Add(context.Collection.Documents[i].Id, vectors[i]);
        }

        builder.Complete();
        return new SparseModelSearch(directory, texts => lexical.Encode(texts, RetrievalSide.Query));
    }

    private static DenseModelSearch Dense(DemoContext context, string directory, CancellationToken cancellation)
    {
        using IBackend backend = context.CreateBackend();
        using RetrieverModel model = context.LoadModel(backend, RepresentationKind.Dense, bypassBlocks: true);
        IndexStage.Build(context, model, directory, cancellation);
        float[][] queries = model.EncodeDense([.. context.Collection.Test.Select(q => q.Text)], RetrievalSide.Query, cancellation);
        return new DenseModelSearch(directory, _ => queries);
    }
}
