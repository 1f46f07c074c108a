using System.CommandLine;
using Tern.Retrieval.Exchange;

namespace Tern.Cli;

/// <summary><c>tern export</c>: vectors into the files and servers of other search tools.</summary>
internal static class ExportCommand
{
    public static Command Create(Terminal terminal)
    {
        var format = new Argument<string>("format") { Description = "Where to: " + string.Join(", ", [.. VectorFile.Formats, .. VectorServers.Names, "pgvector"]) + "." };
        format.AcceptOnlyFromAmong([.. VectorFile.Formats, .. VectorServers.Names, "pgvector"]);
        Option<string> input = Flags.RequiredText("--input", "Vectors: a file of tern encode (.jsonl, .npy), .csr, .ciff, or an index directory.", "path");
        Option<string?> output = Flags.Text("--output", "The file to write: the format's own, or the bulk file of a server; .gz compresses JSON. Ids that the format has no room for go to NAME.ids.txt.", "file");
        Option<string?> terms = Flags.Text("--terms", "What terms are called: a model directory, a tokenizer.json, or a list with a name a line.", "path");
        Option<string> inputKeys = Flags.Choice("--input-keys", "Terms in the input are ids or, with --terms, names.", "id", "id", "text");
        Option<string> keys = Flags.Choice("--keys", "Write terms as ids or, with --terms, as names (servers always get ids).", "id", "id", "text");
        Option<int> top = Flags.Count("--top", "Keep only the heaviest terms of each vector; 0 keeps all.", 0, least: 0);
        Option<double?> scale = Flags.OptionalNumber("--scale", "anserini, ciff: weights become round(weight · x); 100 for anserini, 255 / largest weight for ciff unless given.", double.Epsilon);
        Option<bool> queries = new("--queries") { Description = "anserini: write queries, each term as often as its weight says, for -topicReader TsvString." };
        var target = new ExportTarget();
        var command = new Verb("export", "Writes vectors for other search tools, as files or over the network, with each one's limits checked first.")
        {
            Notes = "Servers: --output FILE writes their bulk file, --url sends it. Documents are replaced by id, so that sending twice does no harm. Batches that a server is too busy for are sent again; what it refuses is listed with its id. An interrupted export goes on with --resume. Terms are numbers there, because servers give meaning to dots and spaces in names.",
            Examples =
            [
                "tern export anserini --input scifact.jsonl.gz --output scifact-anserini/vectors.jsonl",
                "tern export ciff --input idx/scifact-sparse --output scifact.ciff",
                "tern export opensearch --input scifact.jsonl.gz --url http://127.0.0.1:9200 --collection scifact --create",
                "tern export qdrant --input vectors.npy --output points.jsonl --collection scifact",
                "tern export pgvector --input scifact.jsonl.gz --url \"Host=127.0.0.1;Username=me;Database=docs\" --collection scifact --dimension 128256 --create",
            ],
            ForeignFlags = new Dictionary<string, string> { ["--index"] = "--input", ["--table"] = "--collection", ["--batch-size"] = "--batch", ["--vocabulary-size"] = "--dimension" },
        };
        command.Add(format);
        foreach (Option option in new Option[] { input, output, terms, inputKeys, keys, top, scale, queries })
        {
            command.Add(option);
        }

        target.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            string to = parsed.GetRequiredValue(format);
            string from = parsed.GetRequiredValue(input);
            bool isFileFormat = VectorFile.Formats.Contains(to);
            target.Check(parsed, to, isFileFormat, parsed.GetValue(output), [(scale, to is "anserini" or "ciff"), (queries, to == "anserini"), (keys, isFileFormat && to is not ("csr" or "npy"))]);
            TermNames? names = parsed.GetValue(terms) is { } path ? VectorSource.ReadNames(path) : null;
            if (names is null && !Directory.Exists(from) && (parsed.GetValue(inputKeys) == "text" || parsed.GetValue(keys) == "text"))
            {
                throw new UsageException($"{(parsed.GetValue(inputKeys) == "text" ? "--input-keys" : "--keys")} text needs --terms");
            }

            using VectorSource source = VectorSource.Open(from, parsed.GetValue(inputKeys) == "text" ? names : null);
            IEnumerable<SparseDocument>? sparse = source.Sparse?.Select(document => document with { Vector = document.Vector.Top(parsed.GetValue(top)) });
            if (!isFileFormat)
            {
                IEnumerable<VectorDocument> documents = sparse?.Select(document => new VectorDocument(document)) ?? source.Documents;
                return await target.SendAsync(terminal, parsed, to, source, documents, parsed.GetValue(output), from, cancellationToken);
            }

            new VectorFile(to, parsed.GetValue(output)!)
            {
                Names = parsed.GetValue(keys) == "text" ? names ?? source.Names : TermNames.Ids,
                Scale = parsed.GetValue(scale),
                IsQueries = parsed.GetValue(queries),
                ColumnCount = parsed.GetValue(target.Dimension) ?? source.Dimension,
            }.Write(terminal, source, sparse);
            terminal.Progress($"{from} -> {parsed.GetValue(output)}");
            return ExitCode.Ok;
        });
        return command;
    }
}
