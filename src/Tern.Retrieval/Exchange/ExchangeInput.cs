using System.Text;

namespace Tern.Retrieval.Exchange;

/// <summary>Files of other tools, opened for reading; gzip is told by its first bytes.</summary>
internal static class ExchangeInput
{
    public static Stream Open(string path)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: not found", path);
        }

        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        try
        {
            bool isGzip = file.ReadByte() == 0x1F && file.ReadByte() == 0x8B;
            file.Position = 0;
            return isGzip ? new CompleteGzipStream(file, leaveOpen: false) : file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The lines that are not blank, with their numbers from 1.</summary>
    public static IEnumerable<(int Number, string Text)> Lines(string path)
    {
        using var reader = new StreamReader(Open(path), new UTF8Encoding(false, throwOnInvalidBytes: true), detectEncodingFromByteOrderMarks: true, 1 << 16);
        for (int number = 1; ReadLine(reader, path, number) is { } line; number++)
        {
            if (!string.IsNullOrWhiteSpace(line))
            {
                yield return (number, line);
            }
        }
    }

    /// <summary>One id a line, as <see cref="NumpyMatrix"/> and <see cref="SparseCsr"/> have them beside the matrix.</summary>
    public static IEnumerable<string> Ids(string path)
    {
        foreach ((int number, string text) in Lines(path))
        {
            yield return text.Contains('\t', StringComparison.Ordinal) ? throw new InvalidDataException($"{path}:{number}: a tab in an id; the file has one id a line") : text;
        }
    }

    private static string? ReadLine(StreamReader reader, string path, int number)
    {
        try
        {
            return reader.ReadLine();
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException($"{path}:{number}: not UTF-8 text (at or after this line)", e);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{path}: the compressed file is damaged or cut short ({e.Message})", e);
        }
    }
}
