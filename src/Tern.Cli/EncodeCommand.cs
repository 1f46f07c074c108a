using System.CommandLine;
using Tern.Model;
using Tern.Retrieval.Exchange;
using Tern.Text;

namespace Tern.Cli;

/// <summary><c>tern encode</c>: texts into sparse vectors (JSON Lines) or dense ones (.npy beside a list of ids).</summary>
internal static class EncodeCommand
{
    public static Command Create(Terminal terminal)
    {
        Option<string> model = Flags.RequiredText("--model", "The model directory.", "dir");
        Option<string> input = Flags.RequiredText("--input", "Texts: BEIR directory, JSON Lines or TSV, .gz included; - for standard input.", "path");
        Option<string> side = Flags.Choice("--side", "What the texts are.", null, "query", "document");
        Option<string> output = Flags.RequiredText("--output", "Sparse: JSON Lines, .gz compresses, - for standard output. Dense: FILE.npy, with the ids in FILE.ids.txt.", "file");
        Option<string> keys = Flags.Choice("--keys", "Sparse: name terms by token id or by token text.", "id", "id", "text");
        Option<string?> shard = Flags.Text("--shard", "Encode only part i of n, counted from 0: 0/8 to 7/8, or auto: what Slurm's job array, Kubernetes' indexed job or a launcher says. The part goes to its own file, as FILE.0-of-8.jsonl; tern data merge puts them together.", "i/n");
        var modelFlags = new ModelFlags();
        var command = new Verb("encode", "Turns texts into sparse vectors (JSON Lines) or dense ones (.npy and a list of ids).")
        {
            Examples =
            [
                "tern encode --model models/sparse --side document --input beir/scifact --output scifact.jsonl.gz",
                "tern encode --model models/dense --side query --input queries.dev.tsv --output queries.npy",
                "tern encode --model models/sparse --side document --input collection.tsv --output vectors.jsonl.gz --shard auto",
            ],
            ForeignFlags = new Dictionary<string, string>
            {
                ["--model-name-or-path"] = "--model",
                ["--corpus-path"] = "--input",
                ["--query-path"] = "--input",
                ["--corpus"] = "--input",
                ["--queries"] = "--input",
            },
        };
        foreach (Option option in new Option[] { model, input, side, output, keys, shard })
        {
            command.Add(option);
        }

        modelFlags.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
        {
            string path = parsed.GetRequiredValue(input);
            string target = parsed.GetRequiredValue(output);
            bool isQuery = parsed.GetValue(side) == "query";
            using var loaded = RetrieverModel.Load(parsed.GetRequiredValue(model), modelFlags.Read(parsed));
            if (loaded.Contract.Kind == RepresentationKind.Dense && !target.EndsWith(".npy", StringComparison.OrdinalIgnoreCase))
            {
                throw new UsageException($"--output {target}: the model is dense; its vectors go to a file that ends in .npy");
            }

            if (loaded.Contract.PairTemplate.Length > 0)
            {
                throw new UsageException($"--model {parsed.GetValue(model)}: a reranker reads query and document together and has no vectors of its own; see tern rerank");
            }

            IEnumerable<(string Id, string Text)> texts = isQuery
                ? QueryReader.Read(path).Select(q => (q.Id, q.Text))
                : CorpusReader.Read(path).Select(d => (d.Id, loaded.Contract.Compose(d)));
            if (Shard.Parse(parsed.GetValue(shard), Environment.GetEnvironmentVariable) is { } part)
            {
                if (path == "-" || target == "-")
                {
                    throw new UsageException("--shard needs files: the texts are counted first, and every part has a name of its own");
                }

                texts = part.Of(texts);
                target = part.NameOf(target);
            }

            var encoder = new TextEncoder(terminal, loaded, isQuery ? RetrievalSide.Query : RetrievalSide.Document, cancellationToken);
            int count = loaded.Contract.Kind == RepresentationKind.Sparse
                ? encoder.WriteSparse(texts, target, parsed.GetValue(keys) == "text")
                : encoder.WriteDense(texts, target);
            terminal.Progress(Invariant($"{count:N0} texts -> {target}"));
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private sealed class TextEncoder(Terminal terminal, RetrieverModel model, RetrievalSide side, CancellationToken cancellationToken)
    {
        private const int TextsPerChunk = 4096;

        public int WriteSparse(IEnumerable<(string Id, string Text)> texts, string path, bool keysAreTexts)
        {
            int count = 0;
            OutputFile.Write(terminal, path, writer => count = InChunks(
                texts,
                chunk => model.EncodeSparse(chunk, side, cancellationToken),
                (id, vector) => JsonOutput.Write(writer, json =>
                {
                    json.WriteString("id", id);
                    json.WriteStartObject("vector");
                    foreach ((int term, float weight) in vector.Terms.ToArray().Zip(vector.Weights.ToArray()))
                    {
                        json.WriteNumber(keysAreTexts ? model.Tokenizer.TokenText(term) : Invariant($"{term}"), weight);
                    }

                    json.WriteEndObject();
                })));
            return count;
        }

        public int WriteDense(IEnumerable<(string Id, string Text)> texts, string path)
        {
            int count = 0;
            OutputFile.Write(terminal, NumpyMatrix.IdsPath(path), ids => OutputFile.WriteBytes(path, stream =>
            {
                var matrix = new NumpyWriter(stream, model.Dimension);
                matrix.Begin();
                count = InChunks(texts, chunk => model.EncodeDense(chunk, side, cancellationToken), (id, vector) =>
                {
                    matrix.Add(vector);
                    ids.WriteLine(id);
                });
                matrix.Complete();
            }));
            return count;
        }

        private int InChunks<T>(IEnumerable<(string Id, string Text)> texts, Func<string[], IReadOnlyList<T>> encode, Action<string, T> write)
        {
            using var progress = new ProgressLine(terminal, "texts");
            int count = 0;
            foreach ((string Id, string Text)[] chunk in texts.Chunk(TextsPerChunk))
            {
                IReadOnlyList<T> vectors = encode(Array.ConvertAll(chunk, t => t.Text));
                for (int i = 0; i < chunk.Length; i++)
                {
                    write(chunk[i].Id, vectors[i]);
                }

                progress.Report(count += chunk.Length);
            }

            return count;
        }
    }
}
