using System.Buffers.Binary;
using System.IO.Compression;

namespace Tern.Retrieval;

/// <summary>
/// Decompresses gzip and refuses a file that was cut short, of which <see cref="GZipStream"/> gives the readable part
/// without a word. The file ends in the size of its last member: a whole file holds at least that much.
/// </summary>
internal sealed class CompleteGzipStream : Stream
{
    private const int LeastByteCount = 18; // header 10, trailer 8

    private readonly GZipStream _gzip;
    private readonly uint _lastSize;
    private long _read;

    /// <summary>The stream can seek; if it is not left open, it is closed with this one.</summary>
    public CompleteGzipStream(Stream file, bool leaveOpen = true)
    {
        if (file.Length < LeastByteCount)
        {
            throw new InvalidDataException("it ends early");
        }

        Span<byte> size = stackalloc byte[sizeof(uint)];
        file.Seek(-size.Length, SeekOrigin.End);
        file.ReadExactly(size);
        file.Position = 0;
        _lastSize = BinaryPrimitives.ReadUInt32LittleEndian(size);
        _gzip = new GZipStream(file, CompressionMode.Decompress, leaveOpen);
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        int count = _gzip.Read(buffer);
        _read += count;
        return count > 0 || buffer.IsEmpty || (uint)_read == _lastSize || _read > _lastSize
            ? count
            : throw new InvalidDataException("it ends early");
    }

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _gzip.Dispose();
        }

        base.Dispose(disposing);
    }
}
