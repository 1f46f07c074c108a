namespace Tern.Pipelines.Study;

/// <summary>Where a study's files are under its output directory.</summary>
public sealed class StudyPaths(string root)
{
    public string Root { get; } = root;

    public string Tokenizer => Path.Combine(Root, "tokenizer", "tokenizer.json");

    public string TermFrequencies => Path.Combine(Root, "tokenizer", "document-frequencies.json");

    public string Cells => Path.Combine(Root, "cells");

    public string Csv => Path.Combine(Root, "results.csv");

    public string FitsCsv => Path.Combine(Root, "fits.csv");

    public string ComparisonsCsv => Path.Combine(Root, "comparisons.csv");

    public string RobustnessCsv => Path.Combine(Root, "robustness.csv");

    public string Report => Path.Combine(Root, "report.html");

    public string Plots => Path.Combine(Root, "plots");

    /// <summary>The judgements that a collection's runs are measured by, as trec_eval reads them.</summary>
    public string Qrels(string collection) => Path.Combine(Root, "qrels", collection + ".txt");

    /// <summary>A cell's own directory.</summary>
    public string Cell(StudyCell cell) => Path.Combine(Cells, cell.Name);

    public string Record(StudyCell cell) => Path.Combine(Cell(cell), "cell.json");

    /// <summary>Why a cell failed, until it is run again.</summary>
    public string Failure(StudyCell cell) => Path.Combine(Cell(cell), "failure.txt");

    public string Checkpoints(StudyCell cell) => Path.Combine(Cell(cell), "checkpoints");

    public string Progress(StudyCell cell) => Path.Combine(Cell(cell), "progress.json");

    public string Model(StudyCell cell) => Path.Combine(Cell(cell), "model");

    public string Index(StudyCell cell, string collection) => Path.Combine(Cell(cell), "index-" + collection);

    public string Run(StudyCell cell, string collection) => Path.Combine(Cell(cell), $"{collection}.run.gz");

    /// <summary>Held while a process works on the cell, so that the tasks of an array job share a study.</summary>
    public string Lock(StudyCell cell) => Path.Combine(Cell(cell), "lock");
}
