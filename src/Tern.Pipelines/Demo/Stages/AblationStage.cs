using Tern.Compute;
using Tern.Model;

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
        using IBackend backend = context.CreateBackend();
        using RetrieverModel model = context.LoadModel(backend, kind, bypassBlocks: true);
        string directory = context.Paths.Index(System(kind));
        try
        {
            IndexFigures index = IndexStage.Build(context, model, directory, cancellation);
            SearchFigures figures = SearchStage.Search(context, model, directory, System(kind), ["test"], cancellation);
            return new StageOutcome(FormattableString.Invariant($"{index.DocumentsPerSecond:#,0} documents/s, {figures.UsPerQuery:#,0} µs a query"), figures);
        }
        finally
        {
            // Its fingerprint is the full model's, so it must not be left where a search could find it.
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Name of the system in run files.</summary>
    public static string System(RepresentationKind kind) => TrainingStage.Word(kind) + "-bypassed";
}
