using System.IO.Hashing;

namespace Tern.Pipelines.Suite;

/// <summary>A collection in BEIR's layout, found below a suite's directory.</summary>
/// <param name="Name">Its directory relative to the suite's, with slashes.</param>
/// <param name="Split">The judgements that are used: test, or dev where there is no test.</param>
public sealed record SuiteDataset(string Name, string Directory, string Split)
{
    private const int Depth = 2;

    /// <summary>The first that a dataset has is used.</summary>
    private static readonly string[] Splits = ["test", "dev"];

    /// <summary>Collections of one directory (such as CQADupStack's forums) count as one in the suite's mean, as in BEIR's.</summary>
    public string Group => Name.Split('/')[0];

    public string QrelsPath => Existing(Path.Combine(Directory, "qrels", Split + ".tsv"))!;

    /// <summary>All below a directory, in the order of their names.</summary>
    /// <exception cref="InvalidDataException">There is none.</exception>
    public static IReadOnlyList<SuiteDataset> Find(string root)
    {
        if (!System.IO.Directory.Exists(root))
        {
            throw new DirectoryNotFoundException($"{root}: no such directory");
        }

        SuiteDataset[] found = [.. System.IO.Directory.EnumerateDirectories(root, "*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = Depth })
            .Select(directory => (Name: Path.GetRelativePath(root, directory).Replace('\\', '/'), Directory: directory))
            .Where(d => Existing(Path.Combine(d.Directory, "corpus.jsonl")) is not null && Existing(Path.Combine(d.Directory, "queries.jsonl")) is not null)
            .Select(d => (d.Name, d.Directory, Split: Splits.FirstOrDefault(split => Existing(Path.Combine(d.Directory, "qrels", split + ".tsv")) is not null)))
            .Where(d => d.Split is not null)
            .Select(d => new SuiteDataset(d.Name, d.Directory, d.Split!))
            .OrderBy(d => d.Name, StringComparer.Ordinal)];
        return found.Length > 0 ? found : throw new InvalidDataException($"{root}: no collection in BEIR's layout in it: DIR/corpus.jsonl, DIR/queries.jsonl, DIR/qrels/test.tsv (each with or without .gz)");
    }

    /// <summary>Hash of the three files' bytes.</summary>
    internal string Fingerprint()
    {
        var hash = new XxHash128();
        foreach (string path in new[] { Existing(Path.Combine(Directory, "corpus.jsonl"))!, Existing(Path.Combine(Directory, "queries.jsonl"))!, QrelsPath })
        {
            using FileStream stream = File.OpenRead(path);
            hash.Append(stream);
        }

        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    private static string? Existing(string path) => File.Exists(path) ? path : File.Exists(path + ".gz") ? path + ".gz" : null;
}
