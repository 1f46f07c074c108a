using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Tern.Retrieval.Exchange;

/// <summary>A matrix in NumPy's .npy format, a row a vector; ids are in a list beside, one a line.</summary>
public static partial class NumpyMatrix
{
    /// <summary>The list of ids that belongs to <c>NAME.npy</c> or <c>NAME.csr</c>: <c>NAME.ids.txt</c>.</summary>
    public static string IdsPath(string path) => Path.ChangeExtension(path, null) + ".ids.txt";

    /// <summary>Rows and columns of a two-dimensional float32, float64 or float16 matrix in C order, little-endian.</summary>
    public static (long RowCount, int ColumnCount) ReadHeader(string path)
    {
        using Stream stream = ExchangeInput.Open(path);
        Header header = Header.Read(path, stream);
        return (header.RowCount, header.ColumnCount);
    }

    /// <summary>
    /// Reads the rows in order as float32; the memory of one row serves all. Without <paramref name="ids"/> rows are
    /// called by their number. A row that is not finite is an error.
    /// </summary>
    public static IEnumerable<DenseDocument> Read(string path, IEnumerable<string>? ids = null)
    {
        using Stream stream = ExchangeInput.Open(path);
        Header header = Header.Read(path, stream);
        using IEnumerator<string>? names = ids?.GetEnumerator();
        var bytes = new byte[header.ColumnCount * header.ElementByteCount];
        var row = new float[header.ColumnCount];
        for (long i = 0; i < header.RowCount; i++)
        {
            if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length)
            {
                throw new InvalidDataException($"{path}: the file ends in row {i} of {header.RowCount}");
            }

            Convert(bytes, header.ElementByteCount, row);
            if (Array.FindIndex(row, value => !float.IsFinite(value)) is var at && at >= 0)
            {
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"{path}: row {i}, column {at} holds {row[at]}"));
            }

            string id = names is null ? i.ToString(CultureInfo.InvariantCulture) : names.MoveNext() ? names.Current : throw new InvalidDataException($"{path}: {header.RowCount} rows, but only {i} ids beside it");
            yield return new DenseDocument(id, row);
        }

        if (names?.MoveNext() == true)
        {
            throw new InvalidDataException($"{path}: {header.RowCount} rows, but more ids beside it");
        }
    }

    private static void Convert(byte[] bytes, int elementByteCount, float[] row)
    {
        switch (elementByteCount)
        {
            case 2:
                for (int i = 0; i < row.Length; i++)
                {
                    row[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(bytes.AsSpan(2 * i));
                }

                break;
            case 4:
                MemoryMarshal.Cast<byte, float>(bytes).CopyTo(row);
                break;
            default:
                for (int i = 0; i < row.Length; i++)
                {
                    row[i] = (float)BinaryPrimitives.ReadDoubleLittleEndian(bytes.AsSpan(8 * i));
                }

                break;
        }
    }

    private sealed partial record Header(long RowCount, int ColumnCount, int ElementByteCount)
    {
        private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

        public static Header Read(string path, Stream stream)
        {
            Span<byte> start = stackalloc byte[12];
            int got = stream.ReadAtLeast(start[..10], 10, throwOnEndOfStream: false);
            if (got < 10 || !start[..6].SequenceEqual(Magic))
            {
                throw new InvalidDataException($"{path}: not a NumPy file (.npy)");
            }

            int length = BinaryPrimitives.ReadUInt16LittleEndian(start[8..]);
            if (start[6] is 2 or 3)
            {
                // Versions 2 and 3 have four bytes for the length.
                stream.ReadExactly(start[10..]);
                length = BinaryPrimitives.ReadInt32LittleEndian(start[8..]);
            }

            if (start[6] is < 1 or > 3 || length is < 0 or > 1 << 20)
            {
                throw new InvalidDataException($"{path}: version {start[6]} of .npy with a header of {length} bytes is not known");
            }

            var bytes = new byte[length];
            if (stream.ReadAtLeast(bytes, length, throwOnEndOfStream: false) < length)
            {
                throw new InvalidDataException($"{path}: the file ends inside its header");
            }

            return Parse(path, Encoding.UTF8.GetString(bytes).Trim());
        }

        private static Header Parse(string path, string text)
        {
            Match type = TypePattern().Match(text), shape = ShapePattern().Match(text);
            if (!type.Success || !shape.Success || !OrderPattern().IsMatch(text)
                || !long.TryParse(shape.Groups[1].Value, CultureInfo.InvariantCulture, out long rows)
                || !int.TryParse(shape.Groups[2].Value, CultureInfo.InvariantCulture, out int columns))
            {
                throw new InvalidDataException($"{path}: needed is a two-dimensional matrix of little-endian floats in C order (numpy.ascontiguousarray(x, '<f4')); this one is {text}");
            }

            return new Header(rows, columns, type.Groups[1].Value[0] - '0');
        }

        [GeneratedRegex("'descr'\\s*:\\s*'<f([248])'")]
        private static partial Regex TypePattern();

        [GeneratedRegex("'shape'\\s*:\\s*\\(\\s*([0-9]+)\\s*,\\s*([0-9]+)\\s*,?\\s*\\)")]
        private static partial Regex ShapePattern();

        [GeneratedRegex("'fortran_order'\\s*:\\s*False")]
        private static partial Regex OrderPattern();
    }
}
