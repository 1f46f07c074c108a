using System.Diagnostics;
using Tern.Compute;
using Tern.Model;
using Tern.Retrieval;

namespace Tern.Pipelines.Demo.Stages;

internal sealed record IndexFigures(double NonZeros, double DocumentsPerSecond, double IndexMb);

/// <summary>Encodes every document with one model and indexes the vectors as they come; nothing is kept in between.</summary>
internal sealed class IndexStage(RepresentationKind kind)
    : DemoStage(kind == RepresentationKind.Sparse ? StageNames.IndexSparse : StageNames.IndexDense, $"Encode and index, {TrainingStage.Word(kind)}")
{
    public override IReadOnlyList<string> After => [StageNames.Collection, kind == RepresentationKind.Sparse ? StageNames.TrainSparse : StageNames.TrainDense];

    public override string Inputs(DemoContext context) => "";

    public override IReadOnlyList<string> Outputs(DemoContext context) => [context.Paths.Index(TrainingStage.Word(kind))];

    public override StageOutcome Run(DemoContext context, CancellationToken cancellation)
    {
        using IBackend backend = context.CreateBackend();
        using RetrieverModel model = context.LoadModel(backend, kind);
        IndexFigures figures = Build(context, model, context.Paths.Index(TrainingStage.Word(kind)), cancellation);
        string nonZeros = kind == RepresentationKind.Sparse ? FormattableString.Invariant($", {figures.NonZeros:0} terms a document") : "";
        return new StageOutcome(FormattableString.Invariant($"{figures.DocumentsPerSecond:#,0} documents/s, {figures.IndexMb:0.0} MB") + nonZeros, figures);
    }

    public static IndexFigures Build(DemoContext context, RetrieverModel model, string directory, CancellationToken cancellation)
    {
        string modelDirectory = context.Paths.Model(TrainingStage.Word(model.Contract.Kind));
        var watch = Stopwatch.StartNew();
        IndexWriter.WriteLearned(directory, model, modelDirectory, context.Collection.Documents, context.IndexOptions("encoding"), cancellation);
        double documentsPerSecond = Math.Round(context.Collection.Documents.Count / watch.Elapsed.TotalSeconds, 1);
        if (model.Contract.Kind == RepresentationKind.Sparse)
        {
            using SparseIndex sparse = SparseIndex.Open(directory);
            return new IndexFigures(Math.Round((double)sparse.PostingCount / sparse.DocumentCount, 1), documentsPerSecond, Math.Round(sparse.ByteCount / 1e6, 2));
        }

        using DenseIndex dense = DenseIndex.Open(directory);
        return new IndexFigures(0, documentsPerSecond, Math.Round(dense.ByteCount / 1e6, 2));
    }
}
