using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Tern.Retrieval.Exchange;

/// <summary>
/// The CSR file of the BigANN benchmarks' sparse track: int64 nrow, ncol, nnz; int64 indptr[nrow+1]; int32 indices[nnz];
/// float32 values[nnz]. Little-endian; ids are in a list beside, one a line.
/// </summary>
public static class SparseCsr
{
    private const int HeaderByteCount = 3 * sizeof(long);

    /// <summary>Reads the rows in order; without <paramref name="ids"/> they are called by their number. Zeros are dropped.</summary>
    public static IEnumerable<SparseDocument> Read(string path, IEnumerable<string>? ids = null)
    {
        (long rows, long columns, long count) = ReadHeader(path);
        using FileStream starts = Open(path, HeaderByteCount);
        using FileStream indices = Open(path, HeaderByteCount + (8 * (rows + 1)));
        using FileStream values = Open(path, HeaderByteCount + (8 * (rows + 1)) + (4 * count));
        using IEnumerator<string>? names = ids?.GetEnumerator();
        long start = ReadStart(starts);
        for (long row = 0; row < rows; row++)
        {
            long end = ReadStart(starts);
            if (end < start || end > count || (row == 0 && start != 0) || (row == rows - 1 && end != count) || end - start > columns)
            {
                throw new InvalidDataException($"{path}: row {row} is said to span values {start} to {end} of {count}, columns {columns}");
            }

            string id = names is null ? row.ToString(System.Globalization.CultureInfo.InvariantCulture) : names.MoveNext() ? names.Current : throw new InvalidDataException($"{path}: {rows} rows, but only {row} ids beside it");
            yield return new SparseDocument(id, ReadRow(path, row, columns, indices, values, (int)(end - start)));
            start = end;
        }

        if (names?.MoveNext() == true)
        {
            throw new InvalidDataException($"{path}: {rows} rows, but more ids beside it");
        }
    }

    /// <summary>Rows, columns and values, checked against the file's length.</summary>
    public static (long RowCount, long ColumnCount, long ValueCount) ReadHeader(string path)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: not found", path);
        }

        using FileStream file = File.OpenRead(path);
        var header = new long[3];
        if (file.ReadAtLeast(MemoryMarshal.AsBytes(header.AsSpan()), HeaderByteCount, throwOnEndOfStream: false) < HeaderByteCount)
        {
            throw new InvalidDataException($"{path}: {file.Length} bytes are too few for a CSR header of {HeaderByteCount}");
        }

        (long rows, long columns, long count) = (header[0], header[1], header[2]);
        if (rows is < 0 or > int.MaxValue || columns is < 0 or > int.MaxValue || count < 0 || count > file.Length / 8 || file.Length != HeaderByteCount + (8 * (rows + 1)) + (8 * count))
        {
            throw new InvalidDataException($"{path}: {rows} rows, {columns} columns and {count} values do not make a file of {file.Length} bytes");
        }

        return (rows, columns, count);
    }

    /// <summary>
    /// Writes to a stream that can seek; indices and values wait in temporary files, so memory is bounded. The number of
    /// columns is <paramref name="columnCount"/>, or one more than the largest term where that is 0.
    /// </summary>
    public static void Write(Stream stream, TextWriter ids, IEnumerable<SparseDocument> documents, int columnCount = 0)
    {
        using FileStream starts = Temporary();
        using FileStream indices = Temporary();
        using FileStream values = Temporary();
        long rows = 0, count = 0, columns = columnCount;
        WriteInt64(starts, 0);
        foreach (SparseDocument document in documents)
        {
            ReadOnlySpan<int> terms = document.Vector.TermSpan;
            if (columnCount > 0 && terms.Length > 0 && terms[^1] >= columnCount)
            {
                throw new InvalidDataException($"document '{document.Id}' has term {terms[^1]}; the matrix has {columnCount} columns");
            }

            columns = terms.Length > 0 ? Math.Max(columns, terms[^1] + 1L) : columns;
            indices.Write(MemoryMarshal.AsBytes(terms));
            values.Write(MemoryMarshal.AsBytes(document.Vector.WeightSpan));
            ids.WriteLine(document.Id);
            rows++;
            WriteInt64(starts, count += terms.Length);
        }

        WriteInt64(stream, rows);
        WriteInt64(stream, columns);
        WriteInt64(stream, count);
        foreach (FileStream part in (ReadOnlySpan<FileStream>)[starts, indices, values])
        {
            part.Position = 0;
            part.CopyTo(stream);
        }
    }

    private static SparseVector ReadRow(string path, long row, long columns, FileStream indices, FileStream values, int count)
    {
        var terms = new int[count];
        var weights = new float[count];
        indices.ReadExactly(MemoryMarshal.AsBytes(terms.AsSpan()));
        values.ReadExactly(MemoryMarshal.AsBytes(weights.AsSpan()));
        if (Array.IndexOf(weights, 0f) >= 0)
        {
            terms = [.. terms.Where((_, i) => weights[i] != 0f)];
            weights = [.. weights.Where(weight => weight != 0f)];
        }

        Array.Sort(terms, weights);
        if (terms.Length > 0 && terms[^1] >= columns)
        {
            throw new InvalidDataException($"{path}: row {row} has column {terms[^1]} of {columns}");
        }

        try
        {
            return new SparseVector(terms, weights);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{path}: row {row}: {e.Message.Split(" (Parameter", 2)[0]}", e);
        }
    }

    private static FileStream Open(string path, long offset)
    {
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        stream.Position = offset;
        return stream;
    }

    private static FileStream Temporary() => new(Path.GetTempFileName(), FileMode.Open, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);

    private static long ReadStart(FileStream stream)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        stream.ReadExactly(bytes);
        return BinaryPrimitives.ReadInt64LittleEndian(bytes);
    }

    private static void WriteInt64(Stream stream, long value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        stream.Write(bytes);
    }
}
