namespace Tern.Pipelines.Demo;

/// <summary>Where the demo keeps what in its output directory.</summary>
public sealed class DemoPaths(string root)
{
    public string Root { get; } = root;

    /// <summary>The collection in BEIR layout, when the demo builds it itself.</summary>
    public string Collection => Path.Combine(Root, "collection");

    public string Documents => Path.Combine(Root, "documents");

    public string Tokenizer => Path.Combine(Root, "tokenizer");

    public string TokenizerFile => Path.Combine(Tokenizer, "tokenizer.json");

    /// <summary>In how many documents each vocabulary entry occurs.</summary>
    public string TermFrequencies => Path.Combine(Tokenizer, "document-frequencies.json");

    public string TrainingExamples => Path.Combine(Root, "train.jsonl");

    public string Results => Path.Combine(Root, "results.json");

    public string Report => Path.Combine(Root, "report.html");

    public string State => Path.Combine(Root, "state");

    public string Model(string kind) => Path.Combine(Root, "models", kind);

    public string Checkpoints(string kind) => Path.Combine(Root, "checkpoints", kind);

    public string Index(string system) => Path.Combine(Root, "index", system);

    public string Run(string system, string split) => Path.Combine(Root, "runs", $"{system}.{split}.trec");

    /// <summary>What the report shows and results.json does not hold.</summary>
    public string Details => Path.Combine(Root, "details");

    public string Curve(string kind) => Path.Combine(Details, $"curve-{kind}.json");

    public string Examples => Path.Combine(Details, "explained.json");
}
