using System.Text;

namespace Tern.Text;

/// <summary>
/// Lines of a UTF-8 text file, gzip'd where the name ends in .gz, "-" for standard input. Only LF ends a line (a CR before it
/// is dropped): the separators that <see cref="StreamReader.ReadLine"/> also honours occur inside passages. A BOM is skipped.
/// </summary>
internal sealed class LineReader : IDisposable
{
    private readonly StreamReader _reader;
    private char[] _buffer = new char[1 << 15];
    private int _start;
    private int _end;
    private bool _exhausted;

    public LineReader(string path)
    {
        Path = path == "-" ? "<stdin>" : path;
        _reader = new StreamReader(Open(path), new UTF8Encoding(false), detectEncodingFromByteOrderMarks: true, 1 << 16);
    }

    /// <summary>The file as error messages name it.</summary>
    public string Path { get; }

    /// <summary>1-based number of the line returned last.</summary>
    public int LineNumber { get; private set; }

    private static Stream Open(string path)
    {
        if (path == "-")
        {
            return Console.OpenStandardInput();
        }
        return path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase)
            ? new GzipFile(path)
            : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
    }

    public string? ReadLine()
    {
        int scanned = 0;
        while (true)
        {
            int newline = Array.IndexOf(_buffer, '\n', _start + scanned, _end - _start - scanned);
            if (newline >= 0)
            {
                return Take(newline - _start, 1);
            }
            scanned = _end - _start;
            if (!Fill())
            {
                return _start == _end ? null : Take(_end - _start, 0);
            }
        }
    }

    private string Take(int length, int separatorLength)
    {
        int kept = length > 0 && _buffer[_start + length - 1] == '\r' ? length - 1 : length;
        string line = new(_buffer, _start, kept);
        _start += length + separatorLength;
        LineNumber++;
        return line;
    }

    private bool Fill()
    {
        if (_exhausted)
        {
            return false;
        }
        if (_start > 0)
        {
            Array.Copy(_buffer, _start, _buffer, 0, _end - _start);
            _end -= _start;
            _start = 0;
        }
        if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }
        try
        {
            int read = _reader.Read(_buffer, _end, _buffer.Length - _end);
            _end += read;
            _exhausted = read == 0;
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{Path}: after line {LineNumber}: gzip: {e.Message}", e);
        }
        return !_exhausted;
    }

    public InvalidDataException Malformed(string problem) => Malformed(LineNumber, problem);

    public InvalidDataException Malformed(int line, string problem) => new($"{Path}:{line}: {problem}");

    public void Dispose() => _reader.Dispose();
}
