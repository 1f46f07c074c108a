using System.CommandLine;
using Tern.Retrieval;
using Tern.Text;

namespace Tern.Cli.Indexes;

/// <summary><c>tern index</c>: a corpus into a sparse, dense or BM25 index directory.</summary>
internal static class IndexCommand
{
    /// <summary>The verb, which builds, and <c>build</c>, which says so.</summary>
    public static Command Create(Terminal terminal)
    {
        Verb command = CreateBuild(terminal, "index");
        command.Add(CreateBuild(terminal, "build"));
        command.Add(IndexAddCommand.Create(terminal));
        command.Add(IndexDeleteCommand.Create(terminal));
        command.Add(IndexMergeCommand.Create(terminal));
        command.Add(IndexCompactCommand.Create(terminal));
        command.Add(IndexVerifyCommand.Create(terminal));
        command.Add(IndexStatsCommand.Create(terminal));
        command.Add(IndexCalibrateCommand.Create(terminal));
        command.Add(IndexFuzzCommand.Create(terminal));
        return command;
    }

    private static Verb CreateBuild(Terminal terminal, string name)
    {
        Option<string> corpus = Flags.RequiredText("--corpus", "Documents: BEIR directory, JSON Lines or TSV, .gz included; - for standard input.", "path");
        Option<string> output = Flags.RequiredText("--output", "The index directory to write; an earlier index there is replaced when this one is complete.", "dir");
        Option<string?> model = Flags.Text("--model", "Encode with this model; sparse or dense as it is.", "dir");
        Option<bool> bm25 = new("--bm25") { Description = "Build a BM25 index instead (Lucene's formula, Porter stems)." };
        Option<double> k1 = Flags.Number("--k1", "BM25's k1.", Bm25Parameters.Default.K1);
        Option<double> b = Flags.Number("--b", "BM25's b.", Bm25Parameters.Default.B);
        Option<string> impacts = Flags.Choice("--impacts", "Stored weights of a sparse index: 8-bit impacts or float32.", "byte", "byte", "float32");
        Option<string> layout = Flags.Choice("--layout", "Sparse indexes: ids packed into as few bits as they need, or raw, larger and a little faster.", "packed", "packed", "raw");
        Option<bool> reorder = new("--reorder") { Description = "Sparse indexes: put documents with the same terms side by side, for a smaller and faster index; takes minutes for a million." };
        Option<int?> memory = Flags.OptionalCount("--memory", "Sparse indexes: megabytes of memory that the index's building may take beside the model; what does not fit waits in a file beside the index.", least: 128);
        Option<string> scan = Flags.Choice("--scan", "Dense indexes: the copy of the vectors that a search reads first; a narrower one is faster, hits and scores are the same.", "int8", [.. Enum.GetNames<DenseScan>().Reverse().Select(n => n.ToLowerInvariant())]);
        Option<double> largestWeight = Flags.Number("--largest-weight", "Sparse indexes with 8-bit weights: the weight that becomes the greatest; one value for indexes that are to be merged. 0: the documents' greatest.", 0);
        Option<string[]> fields = IndexFlags.Fields();
        Option<bool> json = Flags.Json("what was built");
        var modelFlags = new ModelFlags();
        var command = new Verb(name, "Builds a sparse, dense or BM25 index and stores names and summaries to show with the hits.")
        {
            Examples =
            [
                "tern index build --corpus beir/scifact --model models/sparse --output idx/scifact-sparse",
                "tern index build --corpus collection.tsv.gz --bm25 --output idx/msmarco-bm25",
                "tern index build --corpus news.jsonl --model models/sparse --field lang --field year:number --output idx/news",
            ],
            ForeignFlags = new Dictionary<string, string>
            {
                ["--input"] = "--corpus",
                ["--data"] = "--corpus",
                ["--corpus-path"] = "--corpus",
                ["--index-dir"] = "--output",
                ["--index"] = "--output",
                ["--output-dir"] = "--output",
                ["--model-name-or-path"] = "--model",
            },
        };
        foreach (Option option in new Option[] { corpus, output, model, bm25, k1, b, impacts, layout, reorder, memory, scan, largestWeight, fields, json })
        {
            command.Add(option);
        }

        modelFlags.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
        {
            string? modelDirectory = parsed.GetValue(model);
            if ((modelDirectory is not null) == parsed.GetValue(bm25))
            {
                throw new UsageException("index needs either --model DIR or --bm25 (tern index --help)");
            }

            if (parsed.GetValue(memory) is not null && parsed.GetValue(reorder))
            {
                throw new UsageException("--reorder needs all documents in memory; leave out --memory, or --reorder");
            }

            string corpusPath = parsed.GetRequiredValue(corpus);
            string directory = parsed.GetRequiredValue(output);
            IndexDescription description;
            using (var progress = new ProgressLine(terminal, "documents"))
            {
                var options = new IndexWriterOptions
                {
                    Precision = Enum.Parse<ImpactPrecision>(parsed.GetRequiredValue(impacts), ignoreCase: true),
                    Layout = Enum.Parse<PostingLayout>(parsed.GetRequiredValue(layout), ignoreCase: true),
                    Reorder = parsed.GetValue(reorder),
                    MemoryByteCount = (long)(parsed.GetValue(memory) ?? 0) << 20,
                    Scan = Enum.Parse<DenseScan>(parsed.GetRequiredValue(scan), ignoreCase: true),
                    LargestWeight = (float)parsed.GetValue(largestWeight),
                    Fields = IndexFlags.ReadFields(parsed.GetValue(fields)),
                    Bm25 = new Bm25Parameters((float)parsed.GetValue(k1), (float)parsed.GetValue(b)),
                    Progress = progress.Report,
                };
                if (modelDirectory is null)
                {
                    description = IndexWriter.WriteBm25(directory, CorpusReader.Read(corpusPath), options, cancellationToken);
                }
                else
                {
                    using var loaded = RetrieverModel.Load(modelDirectory, modelFlags.Read(parsed));
                    if (loaded.Contract.PairTemplate.Length > 0)
                    {
                        throw new UsageException($"--model {modelDirectory}: a reranker reads query and document together and makes no index; see tern rerank");
                    }

                    description = IndexWriter.WriteLearned(directory, loaded, modelDirectory, CorpusReader.Read(corpusPath), options, cancellationToken);
                }
            }

            Report(terminal, directory, description, parsed.GetValue(json));
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static void Report(Terminal terminal, string directory, IndexDescription description, bool json)
    {
        long bytes = Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Sum(f => new FileInfo(f).Length);
        string kind = description.Kind.ToString().ToLowerInvariant();
        if (json)
        {
            JsonOutput.Write(terminal.Out, writer =>
            {
                writer.WriteString("index", directory);
                writer.WriteString("kind", kind);
                writer.WriteNumber("documents", description.DocumentCount);
                writer.WriteNumber("bytes", bytes);
                writer.WriteString("fingerprint", description.Fingerprint);
            });
        }
        else
        {
            terminal.Out.WriteLine(Invariant($"{directory}: {kind} index of {description.DocumentCount:N0} documents, {IndexFlags.Size(bytes)}"));
        }
    }
}
