using Tern.Retrieval;
using Tern.Retrieval.Exchange;
using Tern.Text;

namespace Tern.Cli;

/// <summary>
/// Vectors to export or import: a file of any format that is read, or an index directory. They can be gone through more
/// than once and are never all in memory.
/// </summary>
internal sealed class VectorSource : IDisposable
{
    private readonly IDisposable? _index;

    private VectorSource(IEnumerable<SparseDocument>? sparse, IEnumerable<DenseDocument>? dense, int dimension, TermNames names, IDisposable? index = null)
    {
        Sparse = sparse;
        Dense = dense;
        Dimension = dimension;
        Names = names;
        _index = index;
    }

    /// <summary>Null for dense vectors, as <see cref="Dense"/> is for sparse ones.</summary>
    public IEnumerable<SparseDocument>? Sparse { get; }

    public IEnumerable<DenseDocument>? Dense { get; }

    /// <summary>Elements of a dense vector or number of terms; 0 where the input does not say how many terms there are.</summary>
    public int Dimension { get; }

    /// <summary>What the input calls its terms.</summary>
    public TermNames Names { get; }

    public IEnumerable<VectorDocument> Documents => Sparse?.Select(document => new VectorDocument(document)) ?? Dense!.Select(document => new VectorDocument(document));

    /// <summary>Opens an input whose kind its name tells: .jsonl, .csr, .ciff, .npy (gzip'd where text), or a directory.</summary>
    public static VectorSource Open(string path, TermNames? names, double scale = 1)
    {
        if (Directory.Exists(path))
        {
            return OpenIndex(path);
        }

        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: not found", path);
        }

        return Format(path) switch
        {
            "jsonl" => OpenJson(path, names),
            "csr" => OpenCsr(path),
            "ciff" => OpenCiff(path, names, scale),
            "npy" => OpenNumpy(path),
            _ => throw new UsageException($"{path}: the name does not tell what it is; known are .jsonl, .csr, .ciff, .npy and index directories"),
        };
    }

    /// <summary>The format that a file's name tells, or null.</summary>
    public static string? Format(string path)
    {
        string name = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? path[..^3] : path;
        return Path.GetExtension(name).ToLowerInvariant() switch
        {
            ".jsonl" or ".json" => "jsonl",
            ".csr" => "csr",
            ".ciff" => "ciff",
            ".npy" => "npy",
            _ => null,
        };
    }

    /// <summary>Weights are divided by <paramref name="scale"/>; numbered documents get the ids that are listed beside, where they are.</summary>
    public static VectorSource OpenJson(string path, TermNames? names, double scale = 1, bool numbered = false)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: not found", path);
        }

        TermNames terms = names ?? TermNames.Ids;
        IEnumerable<SparseDocument> documents = SparseJson.Read(path, terms);
        documents = scale == 1 ? documents : documents.Select(document => document with { Vector = new SparseVector(document.Vector.Terms.ToArray(), Array.ConvertAll(document.Vector.Weights.ToArray(), weight => (float)(weight / scale))) });
        return new VectorSource(numbered && Ids(path) is { } ids ? Named(path, documents, ids) : documents, null, terms.Count, terms);
    }

    /// <summary>The rows of a table; the table stays the caller's.</summary>
    public static VectorSource OfTable(PgVectorTable table)
    {
        IEnumerable<VectorDocument> rows = table.ReadAsync().ToBlockingEnumerable();
        return table.Options.Type == PgVectorType.SparseVector
            ? new VectorSource(rows.Select(row => new SparseDocument(row.Id, row.Sparse!)), null, table.Options.Dimension, TermNames.Ids)
            : new VectorSource(null, rows.Select(row => new DenseDocument(row.Id, row.Dense)), table.Options.Dimension, TermNames.Ids);
    }

    public static VectorSource OpenCsr(string path)
    {
        (_, long columns, _) = SparseCsr.ReadHeader(path);
        return new VectorSource(SparseCsr.Read(path, Ids(path)), null, (int)columns, TermNames.Ids);
    }

    public static VectorSource OpenCiff(string path, TermNames? names, double scale)
    {
        Ciff.ReadHeader(path);
        TermNames terms = names ?? TermNames.Ids;
        return new VectorSource(Ciff.Read(path, terms, scale), null, terms.Count, terms);
    }

    public static VectorSource OpenNumpy(string path) =>
        new(null, NumpyMatrix.Read(path, Ids(path)), NumpyMatrix.ReadHeader(path).ColumnCount, TermNames.Ids);

    /// <summary>What a list or a model directory calls its terms.</summary>
    public static TermNames ReadNames(string path)
    {
        string tokenizer = Directory.Exists(path) ? Path.Combine(path, "tokenizer.json") : path;
        if (!tokenizer.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            return TermNames.Read(tokenizer);
        }

        var loaded = Tokenizer.Load(tokenizer);
        return TermNames.OfTexts(Enumerable.Range(0, loaded.VocabularySize).Select(loaded.TokenText));
    }

    public void Dispose() => _index?.Dispose();

    private static IEnumerable<string>? Ids(string path) => File.Exists(NumpyMatrix.IdsPath(path)) ? File.ReadLines(NumpyMatrix.IdsPath(path)) : null;

    private static IEnumerable<SparseDocument> Named(string path, IEnumerable<SparseDocument> documents, IEnumerable<string> ids)
    {
        int number = 0;
        foreach ((SparseDocument document, string id) in documents.Zip(ids))
        {
            yield return document.Id == Invariant($"{number}") ? document with { Id = id } : throw new InvalidDataException($"{path}: document '{document.Id}' is in place {number}; the ids listed beside go by place");
            number++;
        }
    }

    private static VectorSource OpenIndex(string directory)
    {
        var index = SegmentedIndex.Open(directory);
        return index.Settings.Kind == VectorKind.Dense
            ? new VectorSource(null, index.Documents().Select(i => new DenseDocument(index.ExternalId(i), index.DenseVector(i).ToArray())), index.Settings.Dimension, TermNames.Ids, index)
            : new VectorSource(index.Documents().Select(i => new SparseDocument(index.ExternalId(i), index.SparseVector(i))), null, index.Settings.Dimension, TermNames.OfIndex(index), index);
    }
}
