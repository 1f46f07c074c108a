using System.CommandLine;
using Tern.Pipelines.Mining;
using Tern.Pipelines.Teaching;
using Tern.Retrieval;
using Tern.Text;

namespace Tern.Cli;

/// <summary><c>tern teach</c>: examples with a teacher's scores.</summary>
internal static class TeachCommand
{
    private const int ExamplesPerStep = 64;

    public static Command Create(Terminal terminal)
    {
        Option<string> train = Flags.RequiredText("--train", "Training examples as JSON Lines.", "file");
        Option<string?> corpus = Flags.Text("--corpus", "The documents that they name, for a model to read.", "path");
        Option<string?> run = Flags.Text("--run", "Take the scores from this run.", "file");
        Option<string?> queries = Flags.Text("--queries", "With --run: which of its topics a query's text is.", "path");
        Option<string> output = Flags.RequiredText("--output", "The examples with scores; FILE.manifest.json says what they were made from. Made in steps: the same command goes on where it was stopped.", "file");
        var teacher = new TeacherFlags("--teacher", "Score with this model, a reranker (tern train --type reranker) or a retriever.");
        var command = new Verb("teach", "Gives training examples a teacher's scores, for the losses kl, margin-mse and infonce+kl.")
        {
            Examples =
            [
                "tern teach --train train.jsonl --corpus beir/scifact --teacher models/reranker --output taught.jsonl",
                "tern teach --train train.jsonl --run teacher.trec --queries queries.tsv --output taught.jsonl",
            ],
        };
        foreach (Option option in new Option[] { train, corpus, run, queries, output })
        {
            command.Add(option);
        }

        teacher.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
        {
            string source = parsed.GetRequiredValue(train);
            string target = parsed.GetRequiredValue(output);
            string? corpusPath = parsed.GetValue(corpus);
            string? runPath = parsed.GetValue(run);
            bool hasModel = parsed.GetValue(teacher.Model) is not null;
            if (hasModel == (runPath is not null) || hasModel != (corpusPath is not null) || (runPath is null) != (parsed.GetValue(queries) is null))
            {
                throw new UsageException("teach needs either --teacher DIR with --corpus PATH, or --run FILE with --queries PATH (tern teach --help)");
            }

            List<FileStamp> inputs = [.. FileStamp.OfAll([source, corpusPath, runPath, parsed.GetValue(queries)])];
            using IPairScorer scorer = teacher.Open(parsed) ?? new RunScorer($"run {Path.GetFileName(runPath)}", Run.Read(runPath!), QueryReader.Read(parsed.GetValue(queries)!));
            Func<string, Document> documents = corpusPath is null
                ? static id => new Document(id, "", "")
                : TeacherFlags.Documents(corpusPath, TrainingExampleReader.Read(source).SelectMany(e => e.NegativeIds.Prepend(e.PositiveId)));
            using var lines = new ResumableLines(target, $"{scorer.Name}|{string.Join('|', inputs.Select(i => i.Sha256))}");
            using (var progress = new ProgressLine(terminal, "examples"))
            {
                int done = lines.Progress.InputsDone;
                foreach (TrainingExample[] step in TrainingExampleReader.Read(source).Skip(done).Chunk(ExamplesPerStep))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    Dictionary<string, long> counts = [];
                    string[] taught = [.. step.Select(e => Teacher.Teach(e, scorer, documents, counts)).OfType<TrainingExample>().Select(ExampleLine.Of)];
                    done += step.Length;
                    lines.Append(taught, done, counts);
                    progress.Report(done);
                }
            }

            if (lines.Progress.Counts.GetValueOrDefault("examples") == 0)
            {
                throw new InvalidDataException($"{source}: no example has a scored positive; the teacher does not belong to these examples");
            }

            Dictionary<string, long> sums = new(lines.Progress.Counts);
            lines.Complete();
            new DataManifest("tern teach", typeof(TeachCommand).Assembly.GetName().Version!.ToString(3), inputs, [scorer.Name], sums, FileStamp.Of(target)).Save();
            terminal.Out.WriteLine($"{target}: {string.Join(", ", sums.Select(c => Invariant($"{c.Value:N0} {c.Key.Replace('_', ' ')}")))}");
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }
}
