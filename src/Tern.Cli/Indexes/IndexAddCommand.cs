using System.CommandLine;
using Tern.Retrieval;
using Tern.Text;

namespace Tern.Cli.Indexes;

/// <summary><c>tern index add</c>: documents into an index that is there.</summary>
internal static class IndexAddCommand
{
    public static Verb Create(Terminal terminal)
    {
        Option<string> index = IndexFlags.Index();
        Option<string?> corpus = Flags.Text("--corpus", "Documents to encode with the index's model: BEIR directory, JSON Lines or TSV, .gz included; - for standard input.", "path");
        Option<string?> vectors = Flags.Text("--vectors", "Encoded documents instead: .jsonl, .csr, .ciff, .npy (ids in NAME.ids.txt).", "file");
        Option<string?> model = Flags.Text("--model", "The index's model, where it is no longer in its old place.", "dir");
        Option<int> commitEvery = Flags.Count("--commit-every", "Documents after which what was added is durable and can be found.", 1000);
        Option<bool> json = Flags.Json("what was added");
        var modelFlags = new ModelFlags();
        var command = new Verb("add", "Adds documents to an index, each in the place of one of the same id; searches go on meanwhile.")
        {
            Examples =
            [
                "tern index add --index idx/news --corpus today.jsonl",
                "tern index add --index idx/imported --vectors more.jsonl.gz",
            ],
            ForeignFlags = new Dictionary<string, string> { ["--input"] = "--corpus", ["--index-dir"] = "--index", ["--output"] = "--index" },
        };
        foreach (Option option in new Option[] { index, corpus, vectors, model, commitEvery, json })
        {
            command.Add(option);
        }

        modelFlags.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
        {
            if ((parsed.GetValue(corpus) is null) == (parsed.GetValue(vectors) is null))
            {
                throw new UsageException("index add needs either --corpus PATH or --vectors FILE (tern index add --help)");
            }

            string directory = parsed.GetRequiredValue(index);
            int count;
            using (var progress = new ProgressLine(terminal, "documents"))
            {
                if (parsed.GetValue(corpus) is { } path)
                {
                    IndexDescription description = IndexDescription.Load(directory);
                    if (description.Kind == IndexKind.Bm25)
                    {
                        throw new InvalidDataException($"{directory}: a BM25 index cannot be updated, since every weight depends on all documents; build it again");
                    }

                    using var loaded = RetrieverModel.Load(parsed.GetValue(model) ?? description.ModelDirectory(directory), modelFlags.Read(parsed));
                    count = IndexWriter.Add(directory, loaded, CorpusReader.Read(path), new IndexWriterOptions { Progress = progress.Report }, parsed.GetValue(commitEvery), cancellationToken);
                }
                else
                {
                    count = AddVectors(directory, parsed.GetValue(vectors)!, parsed.GetValue(commitEvery), progress, cancellationToken);
                }
            }

            using var opened = SegmentedIndex.Open(directory, verify: false);
            if (parsed.GetValue(json))
            {
                JsonOutput.Write(terminal.Out, writer =>
                {
                    writer.WriteString("index", directory);
                    writer.WriteNumber("added", count);
                    writer.WriteNumber("documents", opened.DocumentCount);
                    writer.WriteNumber("commit", opened.Commit);
                });
            }
            else
            {
                terminal.Out.WriteLine(Invariant($"{directory}: {count:N0} documents added or replaced, {opened.DocumentCount:N0} in all, commit {opened.Commit}"));
            }

            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static int AddVectors(string directory, string file, int commitEvery, ProgressLine progress, CancellationToken cancellationToken)
    {
        using VectorSource source = VectorSource.Open(file, null);
        using SegmentedIndexWriter writer = SegmentedIndexWriter.Open(directory);
        IEnumerable<IndexDocument> documents = source.Sparse?.Select(d => new IndexDocument(d.Id) { Sparse = d.Vector }) ?? source.Dense!.Select(d => new IndexDocument(d.Id) { Dense = d.Vector.ToArray() });
        int count = 0;
        foreach (IndexDocument document in documents)
        {
            cancellationToken.ThrowIfCancellationRequested();
            writer.Upsert(document);
            if (++count % commitEvery == 0)
            {
                writer.Commit();
            }

            progress.Report(count);
        }

        writer.Merge(cancellationToken);
        return count;
    }
}
