using System.Buffers.Binary;
using System.IO.Compression;

namespace Tern.Text;

/// <summary>
/// A gzip file read from the front. The end of a truncated file looks like a proper end to <see cref="GZipStream"/>; here the
/// length that the file's trailer states is compared at the end, and <see cref="InvalidDataException"/> thrown where it differs.
/// </summary>
internal sealed class GzipFile(string path) : Stream
{
    private readonly FileStream _file = Open(path);
    private GZipStream? _zip;
    private long _length;
    private bool _checked;

    private static FileStream Open(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        _zip ??= new GZipStream(_file, CompressionMode.Decompress);
        int read = _zip.Read(buffer);
        _length += read;
        if (read == 0 && buffer.Length > 0 && !_checked)
        {
            _checked = true;
            Check();
        }
        return read;
    }

    private void Check()
    {
        using FileStream file = Open(path);
        if (file.Length < 18)
        {
            throw new InvalidDataException("the file is truncated");
        }
        Span<byte> trailer = stackalloc byte[4];
        file.Position = file.Length - 4;
        file.ReadExactly(trailer);
        uint stated = BinaryPrimitives.ReadUInt32LittleEndian(trailer);
        if ((uint)_length != stated && !LastMemberIsWhole(file, stated))
        {
            throw new InvalidDataException("the file is truncated or damaged: its length differs from the one in its trailer");
        }
    }

    // Of concatenated gzip files the trailer speaks of the last one only: looks for its header from behind.
    private static bool LastMemberIsWhole(FileStream file, uint stated)
    {
        const int Window = 1 << 20;
        byte[] bytes = new byte[Window + 2];
        for (long end = file.Length - 18; end > 0; end -= Window)
        {
            long start = Math.Max(0, end - Window);
            file.Position = start;
            int read = file.ReadAtLeast(bytes.AsSpan(0, (int)Math.Min(end - start + 2, file.Length - start)), 1, throwOnEndOfStream: false);
            Span<byte> window = bytes.AsSpan(0, read);
            for (int at; (at = window.LastIndexOf([(byte)0x1f, (byte)0x8b, (byte)8])) >= 0; window = window[..(at + 2)])
            {
                if (start + at > 0 && MemberLength(file, start + at) is { } length && (uint)length == stated)
                {
                    return true;
                }
            }
        }
        return false;
    }

    private static long? MemberLength(FileStream file, long start)
    {
        file.Position = start;
        using var zip = new GZipStream(file, CompressionMode.Decompress, leaveOpen: true);
        try
        {
            byte[] buffer = new byte[1 << 14];
            long length = 0;
            for (int read; (read = zip.Read(buffer)) > 0; length += read)
            {
            }
            return length;
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    protected override void Dispose(bool disposing)
    {
        _zip?.Dispose();
        _file.Dispose();
        base.Dispose(disposing);
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
