namespace Tern.Pipelines.Demo.Stages;

/// <summary>
/// One step of the demo. It reads files that earlier stages left and leaves its own; it is skipped when its record and
/// outputs are there and were made from the same inputs.
/// </summary>
internal abstract class DemoStage(string name, string title)
{
    /// <summary>Key in <c>results.json</c>'s seconds and name of the record.</summary>
    public string Name { get; } = name;

    public string Title { get; } = title;

    /// <summary>Stages whose outputs this one reads; when one of them was made from other inputs, this one is stale.</summary>
    public abstract IReadOnlyList<string> After { get; }

    /// <summary>What the outputs depend on beside those of the stages before, as text that changes when they do.</summary>
    public abstract string Inputs(DemoContext context);

    /// <summary>Files and directories that must exist for the stage to count as done.</summary>
    public abstract IReadOnlyList<string> Outputs(DemoContext context);

    public abstract StageOutcome Run(DemoContext context, CancellationToken cancellation);
}

/// <summary>One line for the reader, and figures that later stages and the results read from the record.</summary>
internal sealed record StageOutcome(string Summary, object Figures);
