using Tern.Text;

namespace Tern.Pipelines.Demo.Stages;

/// <summary>Builds the collection from the SDK's documentation, or checks the BEIR directory that was given.</summary>
internal sealed class CollectionStage() : DemoStage(StageNames.Collection, "Build the collection")
{
    public override IReadOnlyList<string> After => [];

    public override string Inputs(DemoContext context) => context.Options.DataDirectory is { } directory
        ? CollectionFingerprint.Of(DemoCollection.Files(directory))
        : SdkDocumentation.Fingerprint();

    public override IReadOnlyList<string> Outputs(DemoContext context) => [context.CollectionDirectory];

    public override StageOutcome Run(DemoContext context, CancellationToken cancellation)
    {
        string name, source;
        if (context.Options.DataDirectory is { } directory)
        {
            name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)));
            source = directory;
        }
        else
        {
            SdkCollection sdk = SdkDocumentation.Build();
            SdkDocumentation.Write(sdk, context.Paths.Collection);
            name = "the .NET API";
            source = sdk.Fingerprint;
        }

        cancellation.ThrowIfCancellationRequested();
        DemoCollection collection = context.Collection;
        var figures = new CollectionFigures(
            name,
            source,
            CollectionFingerprint.Of(DemoCollection.Files(context.CollectionDirectory)),
            collection.Documents.Count,
            collection.Train.Sum(q => q.Relevant.Count),
            collection.Dev.Count,
            collection.Test.Count);
        return new StageOutcome(FormattableString.Invariant($"{figures.Documents:#,0} documents, {collection.Train.Count:#,0} train, {figures.DevQueries:#,0} dev and {figures.TestQueries:#,0} test queries"), figures);
    }
}
