using System.Globalization;
using K4os.Compression.LZ4.Streams;

namespace Tern.Retrieval;

/// <summary>
/// A file of runs or judgements, or standard input for "-", read as lines with their numbers; gzip and LZ4 frames are
/// told by their first bytes. Errors say file:line.
/// </summary>
internal sealed class EvaluationInput : IDisposable
{
    public static readonly char[] WhiteSpace = [' ', '\t', '\r', '\n', '\v', '\f'];

    private readonly Stream _raw; // seekable
    private readonly string _name;

    private EvaluationInput(Stream raw, string name)
    {
        _raw = raw;
        _name = name;
    }

    public static EvaluationInput Open(string path) => path == "-" ? Open(Console.OpenStandardInput(), "standard input") : new EvaluationInput(File.OpenRead(path), path);

    /// <summary>Takes the stream over; one that cannot seek is copied to memory.</summary>
    public static EvaluationInput Open(Stream stream, string name)
    {
        if (stream.CanSeek)
        {
            return new EvaluationInput(stream, name);
        }

        var copy = new MemoryStream();
        using (stream)
        {
            stream.CopyTo(copy);
        }

        return new EvaluationInput(copy, name);
    }

    public void Dispose() => _raw.Dispose();

    /// <summary>The whole content as bytes, without a byte order mark.</summary>
    public byte[] Bytes()
    {
        using var copy = new MemoryStream();
        using StreamReader reader = Reader();
        Guarded(() => reader.BaseStream.CopyTo(copy));
        byte[] bytes = copy.ToArray();
        return bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;
    }

    /// <summary>The lines that are not empty and no comment.</summary>
    public IEnumerable<(int Number, string Text)> Lines()
    {
        using StreamReader reader = Reader();
        int number = 0;
        while (Guarded(reader.ReadLine) is { } line)
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line) && line[0] != '#')
            {
                yield return (number, line);
            }
        }
    }

    /// <summary>True when the first character that is not white space opens a JSON object.</summary>
    public bool IsJson()
    {
        using StreamReader reader = Reader();
        return Guarded(() =>
        {
            int character = reader.Read();
            while (character >= 0 && char.IsWhiteSpace((char)character))
            {
                character = reader.Read();
            }

            return character == '{';
        });
    }

    /// <summary>The fields between any white space of ASCII; other spaces belong to an id, as in trec_eval.</summary>
    public static string[] Fields(string line) => line.Split(WhiteSpace, StringSplitOptions.RemoveEmptyEntries);

    public InvalidDataException Invalid(int line, string problem) => new($"{_name}:{line}: {problem}");

    public double Score(int line, string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double score) && float.IsFinite((float)score)
            ? score
            : throw Invalid(line, $"the score '{text}' is not a finite number");

    public int Integer(int line, string text, string what) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value)
            ? value
            : throw Invalid(line, $"the {what} '{text}' is not a whole number");

    private StreamReader Reader()
    {
        _raw.Position = 0;
        Span<byte> head = stackalloc byte[4];
        int count = _raw.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        _raw.Position = 0;
        Stream content = head[..count] switch
        {
            [0x1F, 0x8B, ..] => Guarded(() => new CompleteGzipStream(_raw)),
            [0x04, 0x22, 0x4D, 0x18] => LZ4Stream.Decode(_raw, leaveOpen: true),
            _ => _raw,
        };
        return new StreamReader(content, bufferSize: 1 << 16, leaveOpen: content == _raw);
    }

    private T Guarded<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new InvalidDataException($"{_name}: the compressed file is damaged or cut short ({e.Message})", e);
        }
    }

    private void Guarded(Action read) => Guarded(() =>
    {
        read();
        return true;
    });
}
