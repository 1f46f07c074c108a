using Tern.Retrieval.Exchange;

namespace Tern.Cli;

/// <summary>How vectors are written to a file of one of the formats.</summary>
internal sealed record VectorFile(string Format, string Path)
{
    /// <summary>Formats of files, as <c>tern export</c> names them.</summary>
    public static readonly string[] Formats = ["jsonl", "anserini", "seismic", "ciff", "csr", "npy"];

    /// <summary>Terms are called so; ids where that is not set.</summary>
    public TermNames Names { get; init; } = TermNames.Ids;

    /// <summary>What whole-number formats multiply weights with; null takes 100 for Anserini, 255 / largest weight for CIFF.</summary>
    public double? Scale { get; init; }

    /// <summary>Anserini's topics instead of documents.</summary>
    public bool IsQueries { get; init; }

    /// <summary>Columns of a CSR matrix; 0 takes what the vectors need.</summary>
    public int ColumnCount { get; init; }

    /// <summary>Writes the file, and the list of ids beside it where the format has no ids. Warnings go to standard error.</summary>
    public void Write(Terminal terminal, VectorSource source, IEnumerable<SparseDocument>? sparse)
    {
        if ((Format == "npy") != (sparse is null))
        {
            throw new UsageException($"{Format}: the vectors are {(sparse is null ? "dense; write npy" : "sparse; write one of jsonl, anserini, seismic, ciff, csr")}");
        }

        switch (Format)
        {
            case "npy":
                WithIds(terminal, (stream, ids) => WriteNumpy(stream, ids, source));
                break;
            case "seismic":
                WithIds(terminal, (stream, ids) => SeismicVectors.Write(stream, ids, sparse!, Names));
                break;
            case "csr":
                WithIds(terminal, (stream, ids) => SparseCsr.Write(stream, ids, sparse!, ColumnCount));
                break;
            case "anserini" when IsQueries:
                WriteAnseriniTopics(terminal, sparse!);
                break;
            case "anserini":
                WriteAnserini(terminal, sparse!);
                break;
            case "ciff":
                WriteCiff(terminal, sparse!);
                break;
            default:
                OutputFile.WriteStream(terminal, Path, stream => SparseJson.Write(stream, sparse!, Names));
                break;
        }
    }

    private static void Warn(Terminal terminal, ImpactRounding rounding, int emptyCount)
    {
        if (rounding.Warning() is { } warning)
        {
            terminal.Error.WriteLine($"warning: {warning}");
        }

        if (emptyCount > 0)
        {
            terminal.Error.WriteLine(Invariant($"warning: {emptyCount:N0} documents have no weight left"));
        }
    }

    private static void WriteNumpy(Stream stream, TextWriter ids, VectorSource source)
    {
        var writer = new NumpyWriter(stream, source.Dimension);
        writer.Begin();
        foreach (DenseDocument document in source.Dense!)
        {
            writer.Add(document.Vector.Span);
            ids.WriteLine(document.Id.AsSpan().IndexOfAny('\r', '\n') < 0 ? document.Id : throw new InvalidDataException($"the id '{document.Id.ReplaceLineEndings(" ")}' has a line break and cannot be listed one a line"));
        }

        writer.Complete();
    }

    private void WriteAnserini(Terminal terminal, IEnumerable<SparseDocument> documents)
    {
        var rounding = new ImpactRounding(Scale ?? 100);
        int emptyCount = 0;
        OutputFile.WriteStream(terminal, Path, stream => emptyCount = AnseriniVectors.Write(stream, documents, Names, rounding));
        Warn(terminal, rounding, emptyCount);
    }

    private void WriteAnseriniTopics(Terminal terminal, IEnumerable<SparseDocument> queries)
    {
        var rounding = new ImpactRounding(Scale ?? 100);
        OutputFile.Write(terminal, Path, writer => AnseriniVectors.WriteTopics(writer, queries, Names, rounding));
        Warn(terminal, rounding, 0);
    }

    private void WriteCiff(Terminal terminal, IEnumerable<SparseDocument> documents)
    {
        double scale = Scale ?? ImpactRounding.EightBitScale(documents.Select(document => document.Vector.Count == 0 ? 0 : document.Vector.Weights.ToArray().Max()).DefaultIfEmpty().Max());
        var rounding = new ImpactRounding(scale, Scale is null ? 255 : int.MaxValue);
        int emptyCount = 0;
        OutputFile.WriteBytes(Path, stream => emptyCount = Ciff.Write(stream, documents, Names, rounding));
        Warn(terminal, rounding, emptyCount);
    }

    private void WithIds(Terminal terminal, Action<Stream, TextWriter> write)
    {
        if (Path == "-")
        {
            throw new UsageException($"--output -: {Format} writes two files (the ids beside); name one");
        }

        OutputFile.Write(terminal, NumpyMatrix.IdsPath(Path), ids => OutputFile.WriteBytes(Path, stream => write(stream, ids)));
    }
}
