using System.CommandLine;
using Tern.Retrieval;
using Tern.Retrieval.Exchange;

namespace Tern.Cli;

/// <summary><c>tern import</c>: vectors of other tools into a vector file or an index.</summary>
internal static class ImportCommand
{
    private static readonly string[] Formats = ["jsonl", "anserini", "seismic", "ciff", "csr", "npy", "pgvector"];

    public static Command Create(Terminal terminal)
    {
        var format = new Argument<string>("format") { Description = "Where from: " + string.Join(", ", Formats) + "." };
        format.AcceptOnlyFromAmong(Formats);
        Option<string?> input = Flags.Text("--input", "The file to read; ids of formats that have none are read from NAME.ids.txt, where it is there.", "file");
        Option<string?> output = Flags.Text("--output", "Vectors: .jsonl or .jsonl.gz for sparse ones, .npy for dense ones.", "file");
        Option<string?> index = Flags.Text("--index", "An index directory to build instead; an earlier index there is replaced.", "dir");
        Option<string?> terms = Flags.Text("--terms", "The input calls its terms so: a model directory, a tokenizer.json, or a list with a name a line. Without it terms are numbers.", "path");
        Option<string?> learn = Flags.Text("--learn-terms", "Number the input's terms as they come and write the list of their names here.", "file");
        Option<double> scale = Flags.Number("--scale", "anserini, ciff: what weights were multiplied with; they are divided by it.", 1, double.Epsilon);
        Option<int?> dimension = Flags.OptionalCount("--dimension", "Number of terms there are; counted from the vectors unless given.");
        Option<int?> memory = Flags.OptionalCount("--memory", "With --index and sparse vectors: megabytes of memory to stay within; what does not fit waits in a file beside the index. Without it 13 bytes a term of a document are needed.", least: 128);
        Option<string> scan = Flags.Choice("--scan", "With --index and dense vectors: the copy of them that a search reads first; a narrower one is faster, hits and scores are the same.", "int8", [.. Enum.GetNames<DenseScan>().Reverse().Select(n => n.ToLowerInvariant())]);
        Option<string?> url = Flags.Text("--url", "pgvector: the connection string.", "string");
        Option<string> table = new("--collection") { Description = "pgvector: the table.", HelpName = "name", DefaultValueFactory = _ => "tern" };
        Option<string> column = new("--field") { Description = "pgvector: the column.", HelpName = "name", DefaultValueFactory = _ => "embedding" };
        var command = new Verb("import", "Reads vectors of other search tools into a file as tern encode writes it, or into an index.")
        {
            Notes = "An index made here knows no model: programs and tern export read it, tern search has nothing to encode queries with.",
            Examples =
            [
                "tern import ciff --input scifact.ciff --scale 85 --output scifact.jsonl.gz",
                "tern import seismic --input splade.jsonl --learn-terms splade.terms.txt --index idx/splade",
                "tern import npy --input vectors.npy --index idx/dense",
                "tern import pgvector --url \"Host=127.0.0.1;Username=me;Database=docs\" --collection scifact --output scifact.jsonl",
            ],
            ForeignFlags = new Dictionary<string, string> { ["--table"] = "--collection", ["--vocabulary-size"] = "--dimension" },
        };
        command.Add(format);
        foreach (Option option in new Option[] { input, output, index, terms, learn, scale, dimension, memory, scan, url, table, column })
        {
            command.Add(option);
        }

        command.SetAction(async (parsed, cancellationToken) =>
        {
            string from = parsed.GetRequiredValue(format);
            bool isTable = from == "pgvector";
            if ((parsed.GetValue(output) is null) == (parsed.GetValue(index) is null))
            {
                throw new UsageException("import needs either --output FILE or --index DIR (tern import --help)");
            }

            if (isTable ? parsed.GetValue(url) is null : parsed.GetValue(input) is null)
            {
                throw new UsageException($"import {from} needs {(isTable ? "--url" : "--input")} (tern import --help)");
            }

            if (parsed.GetValue(terms) is not null && parsed.GetValue(learn) is not null)
            {
                throw new UsageException("--terms and --learn-terms exclude each other");
            }

            TermNames? names = parsed.GetValue(learn) is not null ? TermNames.Growing() : parsed.GetValue(terms) is { } path ? VectorSource.ReadNames(path) : null;
            PgVectorTable? rows = isTable ? await PgVectorTable.OpenExistingAsync(parsed.GetValue(url)!, parsed.GetValue(table)!, parsed.GetValue(column)!, cancellationToken) : null;
            try
            {
                using VectorSource source = rows is not null ? VectorSource.OfTable(rows) : Open(from, parsed.GetValue(input)!, names, parsed.GetValue(scale));
                if (parsed.GetValue(index) is { } directory)
                {
                    WriteIndex(directory, source, parsed.GetValue(dimension), parsed.GetValue(memory) ?? 0, Enum.Parse<DenseScan>(parsed.GetRequiredValue(scan), ignoreCase: true), cancellationToken);
                }
                else
                {
                    WriteFile(terminal, parsed.GetValue(output)!, source);
                }
            }
            finally
            {
                if (rows is not null)
                {
                    await rows.DisposeAsync();
                }
            }

            if (parsed.GetValue(learn) is { } list)
            {
                OutputFile.Write(terminal, list, names!.Write);
            }

            return ExitCode.Ok;
        });
        return command;
    }

    private static VectorSource Open(string format, string path, TermNames? names, double scale) => format switch
    {
        "ciff" => VectorSource.OpenCiff(path, names, scale),
        "csr" => VectorSource.OpenCsr(path),
        "npy" => VectorSource.OpenNumpy(path),
        _ => VectorSource.OpenJson(path, names, format == "anserini" ? scale : 1, numbered: format == "seismic"),
    };

    private static void WriteFile(Terminal terminal, string path, VectorSource source)
    {
        string wanted = source.Sparse is not null ? "jsonl" : "npy";
        if (path != "-" && VectorSource.Format(path) != wanted)
        {
            throw new UsageException($"--output {path}: the vectors are {(wanted == "npy" ? "dense; they go to a file that ends in .npy" : "sparse; they go to a file that ends in .jsonl or .jsonl.gz")}");
        }

        new VectorFile(wanted, path).Write(terminal, source, source.Sparse);
    }

    private static void WriteIndex(string directory, VectorSource source, int? dimension, int megabytes, DenseScan scan, CancellationToken cancellationToken)
    {
        using var pending = new PendingDirectory(directory, "manifest.json", "writer.lock");
        if (source.Sparse is { } sparse)
        {
            // Names that are numbered as they come are counted by the first of the two readings.
            int terms = sparse.Select(document => document.Vector.Count == 0 ? 0 : document.Vector.Terms.Span[^1]).DefaultIfEmpty().Max() + 1;
            using var builder = new SparseIndexBuilder(pending.Path, new SparseIndexOptions { VocabularySize = Math.Max(dimension ?? source.Dimension, terms), MemoryByteCount = (long)megabytes << 20 });
            foreach (SparseDocument document in sparse)
            {
                cancellationToken.ThrowIfCancellationRequested();
                builder.Add(document.Id, document.Vector);
            }

            builder.Complete();
        }
        else
        {
            using var builder = new DenseIndexBuilder(pending.Path, source.Dimension, scan: scan);
            foreach (DenseDocument document in source.Dense!)
            {
                cancellationToken.ThrowIfCancellationRequested();
                builder.Add(document.Id, document.Vector.Span);
            }

            builder.Complete();
        }

        pending.Complete();
    }
}
