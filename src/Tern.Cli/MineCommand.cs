using System.CommandLine;
using System.Text.Json;
using Tern.Pipelines.Mining;
using Tern.Pipelines.Teaching;
using Tern.Retrieval;
using Tern.Text;

namespace Tern.Cli;

/// <summary><c>tern mine</c>: training examples with hard negatives, from an index or a run.</summary>
internal static class MineCommand
{
    private const int QueriesPerStep = 256;

    public static Command Create(Terminal terminal)
    {
        Option<string?> index = Flags.Text("--index", "Search this index for candidates.", "dir");
        Option<string?> run = Flags.Text("--run", "Take the candidates from this run instead.", "file");
        Option<string> queries = Flags.RequiredText("--queries", "Queries: BEIR directory, JSON Lines or TSV.", "path");
        Option<string> qrels = Flags.RequiredText("--qrels", "Their relevant documents; queries without one are left out.", "file");
        Option<string?> corpus = Flags.Text("--corpus", "The documents, for a teacher to read.", "path");
        Option<string> output = Flags.RequiredText("--output", "Training examples as JSON Lines; FILE.manifest.json says what they were made from. Made in steps: the same command goes on where it was stopped.", "file");
        Option<int> depth = Flags.Count("--depth", "Documents looked at for each query.", 200);
        Option<int> negatives = Flags.Count("--negatives", "Negatives kept for each example, the highest ranked.", 30);
        Option<int> skip = Flags.Count("--skip", "First ranks left out.", 0, least: 0);
        Option<double?> margin = Flags.OptionalNumber("--margin", "Drop candidates that the teacher scores above the positive less this.", least: double.MinValue);
        var teacher = new TeacherFlags("--teacher", "A reranker or retriever that scores positives and candidates; examples carry its scores.");
        var command = new Verb("mine", "Finds hard negatives: what a search finds and neither a judgement nor a teacher takes for relevant.")
        {
            Examples =
            [
                "tern mine --index idx/bm25 --queries beir/scifact --qrels beir/scifact/qrels/train.tsv --output train.jsonl",
                "tern mine --index idx/dense --queries q.tsv --qrels qrels.tsv --corpus collection.tsv --teacher models/reranker --margin 1 --output train.jsonl",
            ],
        };
        foreach (Option option in new Option[] { index, run, queries, qrels, corpus, output, depth, negatives, skip, margin })
        {
            command.Add(option);
        }

        teacher.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
        {
            string? directory = parsed.GetValue(index);
            string? runPath = parsed.GetValue(run);
            if ((directory is null) == (runPath is null))
            {
                throw new UsageException("mine needs either --index DIR or --run FILE (tern mine --help)");
            }

            if ((parsed.GetValue(teacher.Model) is null) != (parsed.GetValue(corpus) is null))
            {
                throw new UsageException("--teacher DIR and --corpus PATH go together: the teacher reads the documents");
            }

            var options = new MiningOptions { Depth = parsed.GetValue(depth), NegativeCount = parsed.GetValue(negatives), Skip = parsed.GetValue(skip), Margin = parsed.GetValue(margin) };
            var judged = Qrels.Read(parsed.GetRequiredValue(qrels));
            string target = parsed.GetRequiredValue(output);
            List<FileStamp> inputs = [.. FileStamp.OfAll([parsed.GetRequiredValue(queries), parsed.GetRequiredValue(qrels), parsed.GetValue(corpus), runPath])];
            using Retriever? retriever = directory is null ? null : Retriever.Open(directory, new RetrieverOptions { Model = teacher.Compute(parsed) });
            using IPairScorer? scorer = teacher.Open(parsed);
            Run? found = runPath is null ? null : Run.Read(runPath);

            // Only what is near a judged query is ever read by a teacher, but which that is shows on the way: the corpus is held.
            Func<string, Document>? documents = scorer is null ? null : TeacherFlags.Documents(parsed.GetValue(corpus)!, CorpusReader.Read(parsed.GetValue(corpus)!).Select(d => d.Id));
            var miner = new HardNegativeMiner(options, judged, scorer, documents);
            string source = retriever is null ? "" : $"index {retriever.Description.Kind} {retriever.Description.Fingerprint} of {retriever.DocumentCount} documents";
            using var lines = new ResumableLines(target, $"{options}|{source}|{scorer?.Name}|{string.Join('|', inputs.Select(i => i.Sha256))}");
            using (var progress = new ProgressLine(terminal, "queries"))
            {
                int done = lines.Progress.InputsDone;
                foreach (Query[] step in QueryReader.Read(parsed.GetRequiredValue(queries)).Where(q => judged[q.Id].Any(j => j.Value > 0)).Skip(done).Chunk(QueriesPerStep))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    IReadOnlyList<IReadOnlyList<ScoredDocument>> hits = retriever is not null
                        ? retriever.SearchAll(Array.ConvertAll(step, q => q.Text), options.Depth, cancellationToken)
                        : Array.ConvertAll(step, q => found!.Contains(q.Id) ? found[q.Id] : []);
                    var counts = new MiningCounts();
                    List<string> examples = [];
                    for (int i = 0; i < step.Length; i++)
                    {
                        (IReadOnlyList<TrainingExample> mined, MiningCounts own) = miner.Mine(step[i], hits[i]);
                        examples.AddRange(mined.Select(ExampleLine.Of));
                        counts.Add(own);
                    }

                    done += step.Length;
                    lines.Append(examples, done, counts.ToDictionary());
                    progress.Report(done);
                }
            }

            if (lines.Progress.Counts.GetValueOrDefault("examples") == 0)
            {
                throw new InvalidDataException("no example came out: no query has both a relevant document in --qrels and a candidate that is not one");
            }

            Dictionary<string, long> sums = new(lines.Progress.Counts);
            lines.Complete();
            new DataManifest("tern mine", typeof(MineCommand).Assembly.GetName().Version!.ToString(3), inputs, [.. new[] { source, scorer?.Name ?? "" }.Where(m => m.Length > 0)], sums, FileStamp.Of(target)).Save();
            terminal.Out.WriteLine($"{target}: {string.Join(", ", sums.Select(c => Invariant($"{c.Value:N0} {c.Key.Replace('_', ' ')}")))}");
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }
}

/// <summary>A training example as one line of JSON, as <see cref="TrainingExampleWriter"/> has it.</summary>
internal static class ExampleLine
{
    public static string Of(TrainingExample example)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            TrainingExampleWriter.WriteFields(json, example);
            json.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }
}
