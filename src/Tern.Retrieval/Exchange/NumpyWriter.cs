using System.Runtime.InteropServices;
using System.Text;

namespace Tern.Retrieval.Exchange;

/// <summary>Writes a float32 matrix row by row as .npy version 1.0; the row count is filled in at the end.</summary>
public sealed class NumpyWriter(Stream stream, int columnCount)
{
    // Room for any row count; a multiple of 64, as the format asks for.
    private const int HeaderByteCount = 128;

    private long _rowCount;

    public void Begin() => WriteHeader();

    public void Add(ReadOnlySpan<float> row)
    {
        if (row.Length != columnCount)
        {
            throw new ArgumentException($"a row of {row.Length} values in a matrix of {columnCount} columns");
        }

        stream.Write(MemoryMarshal.AsBytes(row));
        _rowCount++;
    }

    public void Complete()
    {
        stream.Position = 0;
        WriteHeader();
    }

    private void WriteHeader()
    {
        const int MagicByteCount = 10;
        string description = FormattableString.Invariant($"{{'descr': '<f4', 'fortran_order': False, 'shape': ({_rowCount}, {columnCount}), }}");
        byte[] header = new byte[HeaderByteCount];
        ReadOnlySpan<byte> magic = [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0, HeaderByteCount - MagicByteCount, 0];
        magic.CopyTo(header);
        header.AsSpan(MagicByteCount).Fill((byte)' ');
        Encoding.ASCII.GetBytes(description, header.AsSpan(MagicByteCount));
        header[^1] = (byte)'\n';
        stream.Write(header);
    }
}
