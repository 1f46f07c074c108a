using System.Runtime.InteropServices;

namespace Tern.Retrieval;

/// <summary>Documents in a temporary file, of which memory holds 8 bytes each: for builds that are larger than memory.</summary>
internal sealed class SpilledDocuments : DocumentBuffer
{
    private const int PieceByteCount = 1 << 20;

    // A posting is a term and a weight; a document's terms come first, then its weights.
    private const int PostingByteCount = sizeof(int) + sizeof(float);

    private readonly FileStream _file;
    private readonly List<long> _starts = [0]; // of documents, in postings
    private byte[] _piece = new byte[PieceByteCount];
    private long _pieceStart;
    private int _pieceLength;
    private bool _isReading;
    private int _last = -1;

    public SpilledDocuments(string path, int vocabularySize)
        : base(vocabularySize) => _file = new FileStream(path, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 0, FileOptions.DeleteOnClose);

    public override int DocumentCount => _starts.Count - 1;

    public override ReadOnlySpan<int> Terms(int document) => MemoryMarshal.Cast<byte, int>(Bytes(document)[..(PostingByteCount / 2 * Length(document))]);

    public override ReadOnlySpan<float> Weights(int document) => MemoryMarshal.Cast<byte, float>(Bytes(document)[(PostingByteCount / 2 * Length(document))..]);

    public override void Dispose() => _file.Dispose();

    protected override void Store(ReadOnlySpan<int> terms, ReadOnlySpan<float> weights)
    {
        if (_isReading)
        {
            throw new InvalidOperationException("documents are added before any is read");
        }

        Append(MemoryMarshal.AsBytes(terms));
        Append(MemoryMarshal.AsBytes(weights));
        _starts.Add(_starts[^1] + terms.Length);
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            int count = Math.Min(bytes.Length, _piece.Length - _pieceLength);
            bytes[..count].CopyTo(_piece.AsSpan(_pieceLength));
            bytes = bytes[count..];
            _pieceLength += count;
            if (_pieceLength == _piece.Length)
            {
                Flush();
            }
        }
    }

    private void Flush()
    {
        _file.Write(_piece.AsSpan(0, _pieceLength));
        _pieceLength = 0;
    }

    private int Length(int document) => (int)(_starts[document + 1] - _starts[document]);

    private ReadOnlySpan<byte> Bytes(int document)
    {
        if (!_isReading)
        {
            Flush();
            _isReading = true;
        }

        long start = _starts[document] * PostingByteCount;
        int byteCount = Length(document) * PostingByteCount;
        if (start < _pieceStart || start + byteCount > _pieceStart + _pieceLength)
        {
            // One document after the other: read ahead. In another order nothing behind it is wanted.
            int wanted = document == _last + 1 ? Math.Max(byteCount, PieceByteCount) : byteCount;
            if (_piece.Length < wanted)
            {
                _piece = new byte[wanted];
            }

            _pieceStart = start;
            _pieceLength = 0;
            for (int read; _pieceLength < wanted && (read = RandomAccess.Read(_file.SafeFileHandle, _piece.AsSpan(_pieceLength, wanted - _pieceLength), start + _pieceLength)) > 0;)
            {
                _pieceLength += read;
            }

            if (_pieceLength < byteCount)
            {
                throw new IOException($"{_file.Name}: {_pieceLength} of {byteCount} bytes at {start}; the temporary file was cut");
            }
        }

        _last = document;
        return _piece.AsSpan((int)(start - _pieceStart), byteCount);
    }
}
