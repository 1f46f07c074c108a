using System.IO.Compression;

namespace Tern.Text;

/// <summary>How record files are found, told apart and written.</summary>
internal static class RecordFile
{
    /// <summary>A file itself, or <paramref name="name"/>[.gz] in a directory.</summary>
    public static string Resolve(string path, string name)
    {
        if (path == "-" || File.Exists(path))
        {
            return path;
        }
        if (!Directory.Exists(path))
        {
            throw new FileNotFoundException($"{path}: no such file or directory", path);
        }
        string plain = Path.Combine(path, name);
        string zipped = plain + ".gz";
        return File.Exists(plain) ? plain
            : File.Exists(zipped) ? zipped
            : throw new FileNotFoundException($"{path}: the directory holds neither {name} nor {name}.gz", plain);
    }

    /// <summary>JSON Lines by extension; a file of another extension by its first character.</summary>
    public static bool IsJsonLines(string path, string firstLine)
    {
        ReadOnlySpan<char> name = path.AsSpan();
        if (name.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
        {
            name = name[..^3];
        }
        return name.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
            || (!IsTsv(path) && firstLine.AsSpan().TrimStart().StartsWith("{"));
    }

    public static bool IsTsv(string path) =>
        path.EndsWith(".tsv", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".tsv.gz", StringComparison.OrdinalIgnoreCase);

    /// <summary>Writes aside and renames, so that a failure leaves no half-written file.</summary>
    public static void Write(string path, Action<Stream> write)
    {
        string aside = path + ".tmp";
        try
        {
            using (var file = new FileStream(aside, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16))
            {
                if (path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
                {
                    using var zip = new GZipStream(file, CompressionLevel.Optimal);
                    using var buffered = new BufferedStream(zip, 1 << 16);
                    write(buffered);
                }
                else
                {
                    write(file);
                }
            }
            File.Move(aside, path, overwrite: true);
        }
        catch
        {
            File.Delete(aside);
            throw;
        }
    }

    /// <summary>Splits a line into exactly two fields; there is no quoting in this format.</summary>
    public static (string Id, string Text) TwoFields(LineReader reader, string line)
    {
        int tab = line.IndexOf('\t', StringComparison.Ordinal);
        if (tab < 0 || line.IndexOf('\t', tab + 1) >= 0)
        {
            int count = line.Count(c => c == '\t') + 1;
            throw reader.Malformed($"expected two fields (id, TAB, text), found {count}");
        }
        return tab == 0 ? throw reader.Malformed("the id is empty") : (line[..tab], line[(tab + 1)..]);
    }
}
