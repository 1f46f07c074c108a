using System.IO.Compression;
using System.Text;

namespace Tern.Cli;

/// <summary>A result file that appears when it is complete; gzip'd where its name ends in .gz, standard output for "-".</summary>
internal static class OutputFile
{
    public static void Write(Terminal terminal, string path, Action<TextWriter> write)
    {
        if (path == "-")
        {
            write(terminal.Out);
            return;
        }

        WriteStream(terminal, path, stream =>
        {
            using var writer = new StreamWriter(stream, bufferSize: 1 << 16, leaveOpen: true) { NewLine = "\n" };
            write(writer);
        });
    }

    /// <summary>As above for UTF-8 text that is written as bytes.</summary>
    public static void WriteStream(Terminal terminal, string path, Action<Stream> write)
    {
        if (path == "-")
        {
            using var text = new MemoryStream();
            write(text);
            terminal.Out.Write(Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length));
            return;
        }

        WriteBytes(path, stream =>
        {
            bool zip = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);
            using Stream target = new BufferedStream(zip ? new GZipStream(stream, CompressionLevel.Optimal, leaveOpen: true) : stream, 1 << 16);
            write(target);
        });
    }

    /// <summary>As above for bytes; the stream can seek.</summary>
    public static void WriteBytes(string path, Action<Stream> write)
    {
        string aside = path + ".tmp";
        try
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } directory && !Directory.Exists(directory))
            {
                throw new DirectoryNotFoundException($"{path}: its directory does not exist");
            }

            using (var stream = new FileStream(aside, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16))
            {
                write(stream);
            }

            File.Move(aside, path, overwrite: true);
        }
        catch
        {
            File.Delete(aside);
            throw;
        }
    }
}
