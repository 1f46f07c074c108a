namespace Tern.Cli;

/// <summary>What a file of a collection holds.</summary>
internal enum CollectionFileKind
{
    Corpus,
    Queries,
    Qrels,
    Training,
    Run,
}

/// <summary>The files of a collection and how they are told apart.</summary>
internal sealed record CollectionFile(string Path, CollectionFileKind Kind)
{
    /// <summary>The file, or the files of a BEIR directory: corpus, queries, qrels of all splits, training examples.</summary>
    public static IReadOnlyList<CollectionFile> Find(string path, string? kind)
    {
        if (File.Exists(path))
        {
            return [new CollectionFile(path, kind is null ? Guess(path) : Enum.Parse<CollectionFileKind>(kind, ignoreCase: true))];
        }

        if (!Directory.Exists(path))
        {
            throw new DirectoryNotFoundException($"{path}: no such file or directory");
        }

        List<CollectionFile> files =
        [
            .. Existing(path, "corpus.jsonl", CollectionFileKind.Corpus),
            .. Existing(path, "queries.jsonl", CollectionFileKind.Queries),
            .. Existing(path, "train.jsonl", CollectionFileKind.Training),
        ];
        string qrels = System.IO.Path.Combine(path, "qrels");
        if (Directory.Exists(qrels))
        {
            files.AddRange(Directory.EnumerateFiles(qrels).Where(f => f.EndsWith(".tsv", StringComparison.Ordinal) || f.EndsWith(".tsv.gz", StringComparison.Ordinal)).Order(StringComparer.Ordinal).Select(f => new CollectionFile(f, CollectionFileKind.Qrels)));
        }

        return files.Count > 0 ? files : throw new FileNotFoundException($"{path}: not a BEIR directory: it holds none of corpus.jsonl, queries.jsonl, qrels/*.tsv, train.jsonl", path);
    }

    private static IEnumerable<CollectionFile> Existing(string directory, string name, CollectionFileKind kind) =>
        new[] { name, name + ".gz" }.Select(n => System.IO.Path.Combine(directory, n)).Where(File.Exists).Take(1).Select(p => new CollectionFile(p, kind));

    private static CollectionFileKind Guess(string path)
    {
        string name = System.IO.Path.GetFileName(path).ToLowerInvariant();
        return name switch
        {
            _ when name.Contains("qrel", StringComparison.Ordinal) => CollectionFileKind.Qrels,
            _ when name.Contains("quer", StringComparison.Ordinal) || name.Contains("topic", StringComparison.Ordinal) => CollectionFileKind.Queries,
            _ when name.Contains("train", StringComparison.Ordinal) || name.Contains("triple", StringComparison.Ordinal) => CollectionFileKind.Training,
            _ when name.EndsWith(".trec", StringComparison.Ordinal) || name.StartsWith("run", StringComparison.Ordinal) => CollectionFileKind.Run,
            _ => CollectionFileKind.Corpus,
        };
    }
}
