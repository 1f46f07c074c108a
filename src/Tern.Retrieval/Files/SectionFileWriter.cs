using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;

namespace Tern.Retrieval.Files;

/// <summary>
/// Writes one checksummed file of named sections (FORMAT.md): bytes go to <c>path.tmp</c> as they come, and
/// <see cref="Complete"/> writes the header, flushes to the disk and renames, so a reader sees the whole file or none.
/// Disposing without completing deletes what was written.
/// </summary>
internal sealed class SectionFileWriter : IDisposable
{
    private readonly IFileSystem _files;
    private readonly string _path;
    private readonly string _temporaryPath;
    private readonly ulong _magic;
    private readonly Stream _stream;
    private readonly XxHash3 _pageHash = new();
    private readonly List<ulong> _pageHashes = [];
    private int _pageByteCount;
    private int _firstPage;
    private readonly List<SectionEntry> _sections = [];
    private SectionEntry _open;
    private bool _isOpen;
    private bool _completed;

    public SectionFileWriter(IFileSystem files, string path, ulong magic)
    {
        _files = files;
        _path = path;
        _temporaryPath = path + ".tmp";
        _magic = magic;
        _stream = files.Create(_temporaryPath);
        _stream.Write(new byte[SectionFile.HeaderByteCount]);
    }

    /// <summary>Starts a section at the next multiple of 64; names are ASCII, at most 8 characters.</summary>
    public void Begin(string name)
    {
        End();
        ulong code = SectionFile.NameCode(name);
        if (_sections.Count == SectionFile.MaxSectionCount - 1)
        {
            throw new InvalidOperationException($"a file holds at most {SectionFile.MaxSectionCount - 1} sections and their page checksums");
        }

        Pad();
        _open = new SectionEntry(code, (ulong)_stream.Position, 0, 0);
        _isOpen = true;
    }

    public void Append<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        // Spans of more than 2 GiB of bytes cannot be cast; pieces of a million elements can.
        for (; values.Length > 0; values = values[Math.Min(values.Length, 1 << 20)..])
        {
            ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(values[..Math.Min(values.Length, 1 << 20)]);
            _stream.Write(bytes);
            while (bytes.Length > 0)
            {
                ReadOnlySpan<byte> piece = bytes[..Math.Min(bytes.Length, SectionFile.PageByteCount - _pageByteCount)];
                _pageHash.Append(piece);
                _pageByteCount += piece.Length;
                bytes = bytes[piece.Length..];
                if (_pageByteCount == SectionFile.PageByteCount)
                {
                    EndPage();
                }
            }
        }
    }

    public void Append(string text) => Append<byte>(Encoding.UTF8.GetBytes(text));

    /// <summary>A whole section at once.</summary>
    public void Write<T>(string name, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        Begin(name);
        Append(values);
    }

    /// <summary>Returns the file's length and the checksum of its header, which stands for all of it. The directory is not flushed.</summary>
    public (long ByteCount, ulong HeaderHash) Complete()
    {
        End();
        Pad();
        ReadOnlySpan<byte> pages = MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_pageHashes));
        _sections.Add(new SectionEntry(SectionFile.NameCode(SectionFile.PagesName), (ulong)_stream.Position, (ulong)pages.Length, XxHash3.HashToUInt64(pages)));
        _stream.Write(pages);
        Pad();
        // Vector loads may read past the last element of the last section, but never past the file.
        _stream.Write(new byte[64]);
        Span<byte> header = stackalloc byte[SectionFile.HeaderByteCount];
        header.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(header, _magic);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], SectionFile.Version);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], (uint)_sections.Count);
        long byteCount = _stream.Length;
        BinaryPrimitives.WriteUInt64LittleEndian(header[16..], (ulong)byteCount);
        for (int i = 0; i < _sections.Count; i++)
        {
            MemoryMarshal.Write(header[(SectionFile.TableOffset + (i * SectionFile.EntryByteCount))..], _sections[i]);
        }

        ulong headerHash = XxHash3.HashToUInt64(header[..SectionFile.HeaderHashOffset]);
        BinaryPrimitives.WriteUInt64LittleEndian(header[SectionFile.HeaderHashOffset..], headerHash);
        _stream.Position = 0;
        _stream.Write(header);
        _files.Sync(_stream);
        _stream.Dispose();
        _files.Move(_temporaryPath, _path);
        _completed = true;
        return (byteCount, headerHash);
    }

    public void Dispose()
    {
        if (!_completed)
        {
            _stream.Dispose();
            _files.Delete(_temporaryPath);
        }
    }

    private void End()
    {
        if (_isOpen)
        {
            EndPage();
            ReadOnlySpan<byte> pages = MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_pageHashes)[_firstPage..]);
            _sections.Add(_open with { Length = (ulong)_stream.Position - _open.Offset, Hash = XxHash3.HashToUInt64(pages) });
            _firstPage = _pageHashes.Count;
            _isOpen = false;
        }
    }

    private void EndPage()
    {
        if (_pageByteCount > 0)
        {
            _pageHashes.Add(_pageHash.GetCurrentHashAsUInt64());
            _pageHash.Reset();
            _pageByteCount = 0;
        }
    }

    private void Pad() => _stream.Write(new byte[(64 - (_stream.Position & 63)) & 63]);
}
