using System.CommandLine;
using Tern.Retrieval;
using Tern.Retrieval.Exchange;
using Tern.Text;

namespace Tern.Cli.Indexes;

/// <summary><c>tern index calibrate</c>: what approximate searches of an index find, for <c>tern search --quality</c>.</summary>
internal static class IndexCalibrateCommand
{
    private static readonly double[] QualitiesShown = [0.9, 0.95, 0.98, 0.99];

    public static Verb Create(Terminal terminal)
    {
        Option<string> index = IndexFlags.Index();
        Option<string?> queries = Flags.Text("--queries", "Queries like those that will be asked: BEIR directory, JSON Lines or TSV; encoded by the index's model.", "file");
        Option<string?> vectors = Flags.Text("--query-vectors", "The same as vectors: .csr or .jsonl. Without either, documents of the index are searched for.", "file");
        Option<string?> model = Flags.Text("--model", "The index's model, where it is no longer in its old place.", "dir");
        Option<string> k = new("--k") { Description = "Numbers of hits to measure, with commas between; a search uses the next that is not smaller.", HelpName = "n,n", DefaultValueFactory = _ => "10,100" };
        Option<int> documents = Flags.Count("--documents", "Documents that are searched for where no queries are given.", 256);
        Option<int> terms = Flags.Count("--terms", "Of these documents so many terms, the heaviest.", 32);
        Option<bool> json = Flags.Json("what was measured");
        var modelFlags = new ModelFlags();
        var command = new Verb("calibrate", "Measures on the index itself how much of the exact hits approximate searches find, for tern search --quality.")
        {
            Notes = "A search is chosen by the one-sided 95 % lower confidence bound of its mean recall over queries (normal), so that other queries find as much: the more queries, the closer the bound. The calibration is stored with the index and holds for its present commit; run it again after changes.",
            Examples =
            [
                "tern index calibrate --index idx/news",
                "tern index calibrate --index idx/news --queries dev-queries.tsv --k 10,100,1000",
            ],
            ForeignFlags = new Dictionary<string, string> { ["--index-dir"] = "--index", ["--query-path"] = "--queries" },
        };
        foreach (Option option in new Option[] { index, queries, vectors, model, k, documents, terms, json })
        {
            command.Add(option);
        }

        modelFlags.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
        {
            string directory = parsed.GetRequiredValue(index);
            string? queryFile = parsed.GetValue(queries);
            string? vectorFile = parsed.GetValue(vectors);
            if (queryFile is not null && vectorFile is not null)
            {
                throw new UsageException("--queries and --query-vectors are two ways to give the same; leave one out");
            }

            SearchCalibration calibration;
            using (var opened = SegmentedIndex.Open(directory))
            {
                if (opened.Settings.Kind != VectorKind.Sparse || opened.Settings.Fingerprint.StartsWith("bm25", StringComparison.Ordinal))
                {
                    throw new UsageException($"--index {directory}: only sparse indexes with learned weights are calibrated; others are always searched exactly");
                }

                SparseVector[]? given = vectorFile is not null ? ReadVectors(vectorFile)
                    : queryFile is not null ? Encode(directory, queryFile, parsed.GetValue(model), modelFlags.Read(parsed), opened, cancellationToken)
                    : null;
                using var progress = new ProgressLine(terminal, "approximations");
                var options = new CalibrationOptions
                {
                    HitCounts = Flags.ParseCounts("--k", parsed.GetRequiredValue(k)),
                    DocumentCount = parsed.GetValue(documents),
                    TermCount = parsed.GetValue(terms),
                    Progress = progress.Report,
                    CancellationToken = cancellationToken,
                };
                calibration = given is null ? CalibrationRun.OnDocuments(opened, options) : CalibrationRun.OnQueries(opened, given, options);
            }

            calibration.Save(directory);
            Print(terminal, directory, calibration, parsed.GetValue(json));
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static SparseVector[] ReadVectors(string path)
    {
        using var source = VectorSource.Open(path, null);
        IEnumerable<SparseDocument> vectors = source.Sparse ?? throw new UsageException($"--query-vectors {path}: the vectors are dense; a sparse index needs sparse ones");
        SparseVector[] queries = [.. vectors.Select(v => v.Vector)];
        return queries.Length > 0 ? queries : throw new InvalidDataException($"{path}: no queries in it");
    }

    private static SparseVector[] Encode(string directory, string path, string? modelDirectory, ModelOptions options, SegmentedIndex index, CancellationToken cancellationToken)
    {
        string[] texts = [.. QueryReader.Read(path).Select(q => q.Text)];
        if (texts.Length == 0)
        {
            throw new InvalidDataException($"{path}: no queries in it");
        }

        modelDirectory ??= IndexDescription.Load(directory).ModelDirectory(directory);
        using var model = RetrieverModel.Load(modelDirectory, options);
        return model.Fingerprint == index.Settings.Fingerprint
            ? [.. model.EncodeSparse(texts, RetrievalSide.Query, cancellationToken)]
            : throw new InvalidDataException($"{directory}: the index was built with another model (fingerprint {index.Settings.Fingerprint}) than {modelDirectory} ({model.Fingerprint}): give the right model (--model)");
    }

    private static void Print(Terminal terminal, string directory, SearchCalibration calibration, bool json)
    {
        if (json)
        {
            JsonOutput.Write(terminal.Out, writer =>
            {
                writer.WriteString("index", directory);
                writer.WriteString("source", calibration.Source.ToString().ToLowerInvariant());
                writer.WriteNumber("queries", calibration.QueryCount);
                writer.WriteNumber("commit", calibration.Commit);
                writer.WriteArray("searches", calibration.Searches, search =>
                {
                    writer.WriteStartObject();
                    writer.WriteNumber("k", search.K);
                    writer.WriteNumber("recall", Math.Round(search.Recall, 5));
                    writer.WriteNumber("recall_least", Math.Round(search.LeastRecall, 5));
                    writer.WriteNumber("cost", Math.Round(search.RelativeCost, 4));
                    if (search.Approximation is { } approximation)
                    {
                        writer.WriteNumber("threshold_factor", approximation.ThresholdFactor);
                        writer.WriteNumber("dropped_share", approximation.DroppedShare);
                        writer.WriteNumber("leaf_budget", approximation.LeafBudget);
                    }

                    writer.WriteEndObject();
                });
            });
            return;
        }

        string queries = calibration.Source == CalibrationSource.Documents ? "of the index's own documents as queries" : "queries";
        terminal.Out.WriteLine(Invariant($"{directory}: measured with {calibration.QueryCount:N0} {queries}, at commit {calibration.Commit}"));
        var table = new ResultTable("k", "quality", "recall", "95 % bound", "reckoned cost", "threshold", "dropped", "leaves");
        foreach (int k in calibration.Searches.Select(s => s.K).Distinct())
        {
            foreach (double quality in QualitiesShown)
            {
                CalibratedSearch search = calibration.Choose(quality, k);
                table.Add(
                    Invariant($"{k}"), Invariant($"{quality}"), Invariant($"{search.Recall:0.0000}"), Invariant($"{search.LeastRecall:0.0000}"), Invariant($"{search.RelativeCost:0.00} of exact"),
                    search.Approximation is { } a ? Invariant($"{a.ThresholdFactor} x") : "exact", search.Approximation is { } d ? Invariant($"{d.DroppedShare:0.##}") : "", search.Approximation is { } l ? Invariant($"{l.LeafBudget}") : "");
            }
        }

        table.Write(terminal, "table");
    }
}
