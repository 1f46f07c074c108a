using System.Buffers.Binary;
using System.IO.Hashing;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Text;

namespace Tern.Retrieval.Files;

/// <summary>One row of the section table: name (ASCII, zero-padded), place and checksum.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 8)]
internal readonly record struct SectionEntry(ulong Name, ulong Offset, ulong Length, ulong Hash);

/// <summary>
/// A memory-mapped file of checksummed sections, as <see cref="SectionFileWriter"/> writes it. Opening checks the header
/// and the table of page checksums; <see cref="Verify(string)"/> checks one section, <see cref="Guard"/> a section page by
/// page as it is used. Every failure is an <see cref="InvalidDataException"/> with path, section and offset. Spans and
/// pointers are valid until Dispose. Safe for concurrent readers.
/// </summary>
internal sealed unsafe class SectionFile : IDisposable
{
    internal const uint Version = 2;
    internal const int HeaderByteCount = 1024;
    internal const int TableOffset = 64;
    internal const int EntryByteCount = 32;
    internal const int MaxSectionCount = 29;
    internal const int HeaderHashOffset = HeaderByteCount - 8;

    /// <summary>Bytes under one checksum; pages begin at the section's first byte.</summary>
    internal const int PageByteCount = 1 << 16;

    /// <summary>The last section: the checksum of every page of the sections before it.</summary>
    internal const string PagesName = "pages";

    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly GuardedMemory? _memory;
    private readonly byte* _start;
    private SectionEntry[] _sections = [];
    private ulong* _pageHashes;
    private bool _disposed;

    private SectionFile(string path, ulong magic)
    {
        Path = path;
        ByteCount = new FileInfo(path).Length;
        CheckLength();
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        _view = _file.CreateViewAccessor(0, ByteCount, MemoryMappedFileAccess.Read);
        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        _start = start;
        ReadTables(magic);
    }

    private SectionFile(string path, ulong magic, ReadOnlySpan<byte> content, bool isGuarded)
    {
        Path = path;
        ByteCount = content.Length;
        CheckLength();
        _memory = isGuarded ? new GuardedMemory(content.Length) : null;
        _start = _memory is null ? (byte*)NativeMemory.AlignedAlloc((nuint)content.Length, 64) : _memory.Start;
        content.CopyTo(new Span<byte>(_start, content.Length));
        ReadTables(magic);
    }

    public string Path { get; }

    public long ByteCount { get; }

    public IEnumerable<string> SectionNames => _sections.Select(section => NameText(section.Name));

    /// <summary>The header's checksum: a fingerprint of the whole file, because it covers the checksums of all sections.</summary>
    public ulong HeaderHash => BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(_start + HeaderHashOffset, 8));

    public static SectionFile Open(string path, ulong magic)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path} is missing", path);
        }

        return new SectionFile(path, magic);
    }

    /// <summary>
    /// A copy of a file's bytes instead of the file; the path only names it in errors. A guarded copy lies between pages that end
    /// the process when they are read.
    /// </summary>
    public static SectionFile Open(string path, ulong magic, ReadOnlySpan<byte> content, bool isGuarded = false) => new(path, magic, content, isGuarded);

    public bool Has(string name) => Array.Exists(_sections, section => section.Name == NameCode(name));

    /// <summary>The section's first byte, 64-aligned, and its element count; a length that is not whole elements is an error.</summary>
    public T* Pointer<T>(string name, out long count)
        where T : unmanaged
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        SectionEntry section = Find(name);
        if (section.Length % (ulong)sizeof(T) != 0)
        {
            throw Invalid(name, (long)section.Offset, $"{section.Length} bytes are not whole elements of {sizeof(T)} bytes");
        }

        count = (long)(section.Length / (ulong)sizeof(T));
        return (T*)(_start + section.Offset);
    }

    /// <summary>The section's first byte, checking that there are exactly <paramref name="expectedCount"/> elements.</summary>
    public T* Pointer<T>(string name, long expectedCount)
        where T : unmanaged
    {
        T* pointer = Pointer<T>(name, out long count);
        if (count != expectedCount)
        {
            throw Invalid(name, (long)Find(name).Offset, $"{count} elements where {expectedCount} belong");
        }

        return pointer;
    }

    /// <summary>Where a section lies in the file, in bytes.</summary>
    public (long Offset, long Length) Place(string name) => ((long)Find(name).Offset, (long)Find(name).Length);

    /// <summary>A section that fits a span, checked against its checksum first.</summary>
    public ReadOnlySpan<T> Table<T>(string name)
        where T : unmanaged
    {
        Verify(name);
        T* pointer = Pointer<T>(name, out long count);
        return count <= int.MaxValue ? new ReadOnlySpan<T>(pointer, (int)count) : throw Invalid(name, (long)Find(name).Offset, $"{count} elements are too many for a table");
    }

    /// <summary>Compares a section with its checksums.</summary>
    public void Verify(string name)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int at = Index(name);
        if (NameCode(name) == NameCode(PagesName))
        {
            return; // Opening compared it.
        }

        long firstPage = FirstPage(at);
        for (long page = 0; page < PageCount(_sections[at].Length); page++)
        {
            VerifyPage(at, firstPage, page);
        }
    }

    /// <summary>For a large section that is checked piece by piece, when a piece is first used.</summary>
    public PageGuard Guard(string name)
    {
        int at = Index(name);
        long firstPage = FirstPage(at);
        return new PageGuard(PageCount(_sections[at].Length), page => VerifyPage(at, firstPage, page));
    }

    /// <summary>Verifies every section and that the gaps between them are zero.</summary>
    public void Verify()
    {
        ulong end = HeaderByteCount;
        foreach (SectionEntry section in _sections)
        {
            CheckZero(NameText(section.Name), end, section.Offset);
            Verify(NameText(section.Name));
            end = section.Offset + section.Length;
        }

        CheckZero("end of file", end, (ulong)ByteCount);
    }

    /// <summary>Verifies everything and hands over an error for each damaged page and gap.</summary>
    public void FindDamage(Action<InvalidDataException> report)
    {
        ulong end = HeaderByteCount;
        for (int at = 0; at < _sections.Length; at++)
        {
            SectionEntry section = _sections[at];
            ulong gap = end;
            Try(() => CheckZero(NameText(section.Name), gap, section.Offset));
            long firstPage = FirstPage(at);
            int index = at;
            for (long page = 0; at < _sections.Length - 1 && page < PageCount(section.Length); page++)
            {
                long number = page;
                Try(() => VerifyPage(index, firstPage, number));
            }

            end = section.Offset + section.Length;
        }

        Try(() => CheckZero("end of file", end, (ulong)ByteCount));

        void Try(Action check)
        {
            try
            {
                check();
            }
            catch (InvalidDataException e)
            {
                report(e);
            }
        }
    }

    public InvalidDataException Invalid(string section, long offset, string problem) => new($"{Path}: section '{section}' at offset {offset}: {problem}");

    /// <summary>The error for a bad value inside a section.</summary>
    public InvalidDataException InvalidElement(string section, string problem) => Invalid(section, (long)Find(section).Offset, problem);

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            if (_memory is not null)
            {
                _memory.Dispose();
                return;
            }

            if (_view is null)
            {
                NativeMemory.AlignedFree(_start);
                return;
            }

            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _file!.Dispose();
        }
    }

    internal static ulong NameCode(string name)
    {
        if (name.Length is 0 or > 8 || !Ascii.IsValid(name))
        {
            throw new ArgumentException($"section name '{name}' must be 1 to 8 ASCII characters", nameof(name));
        }

        ulong code = 0;
        for (int i = 0; i < name.Length; i++)
        {
            code |= (ulong)name[i] << (8 * i);
        }

        return code;
    }

    private static string NameText(ulong code)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, code);
        return Encoding.ASCII.GetString(bytes).TrimEnd('\0');
    }

    private void CheckLength()
    {
        if (ByteCount < HeaderByteCount)
        {
            throw Invalid("header", ByteCount, $"the file ends inside its header ({ByteCount} of {HeaderByteCount} bytes); build it again");
        }
    }

    private void ReadTables(ulong magic)
    {
        try
        {
            _sections = ReadHeader(magic);
            _pageHashes = ReadPages();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    private SectionEntry[] ReadHeader(ulong magic)
    {
        var header = new ReadOnlySpan<byte>(_start, HeaderByteCount);
        if (BinaryPrimitives.ReadUInt64LittleEndian(header) != magic)
        {
            throw Invalid("header", 0, $"not a {NameText(magic)} file (another file type, or damaged)");
        }

        uint version = BinaryPrimitives.ReadUInt32LittleEndian(header[8..]);
        if (version != Version)
        {
            throw Invalid("header", 8, $"format version {version}, this build reads version {Version}; build the index again");
        }

        if (XxHash3.HashToUInt64(header[..HeaderHashOffset]) != BinaryPrimitives.ReadUInt64LittleEndian(header[HeaderHashOffset..]))
        {
            throw Invalid("header", 0, "the header's checksum does not match: the file is damaged; build it again");
        }

        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(header[16..]);
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(header[12..]);
        if (count is < 1 or > MaxSectionCount)
        {
            throw Invalid("header", 12, $"{count} sections where there are 1 to {MaxSectionCount}; build it again");
        }

        SectionEntry[] sections = MemoryMarshal.Cast<byte, SectionEntry>(header[TableOffset..HeaderHashOffset])[..(int)count].ToArray();
        if (length != (ulong)ByteCount)
        {
            string cut = sections.Where(section => section.Offset + section.Length > (ulong)ByteCount).Select(section => NameText(section.Name)).FirstOrDefault("end of file");
            throw Invalid(cut, ByteCount, $"the file has {ByteCount} bytes, its header says {length}: it was {(length > (ulong)ByteCount ? "truncated" : "extended")}; build it again");
        }

        CheckPlaces(sections);
        return sections;
    }

    /// <summary>Each section begins where the one before ends, at the next multiple of 64, and slack for wide loads follows the last.</summary>
    private void CheckPlaces(SectionEntry[] sections)
    {
        ulong end = HeaderByteCount;
        for (int i = 0; i < sections.Length; i++)
        {
            if (sections[i].Offset != ((end + 63) & ~63UL) || sections[i].Length > (ulong)ByteCount || sections[i].Offset + sections[i].Length > (ulong)ByteCount)
            {
                throw Invalid("header", TableOffset + (i * EntryByteCount), $"section '{NameText(sections[i].Name)}' at {sections[i].Offset} with {sections[i].Length} bytes does not follow the one before; build it again");
            }

            end = sections[i].Offset + sections[i].Length;
        }

        if ((ulong)ByteCount != ((end + 63) & ~63UL) + 64)
        {
            throw Invalid("header", 16, $"the sections end at {end} of {ByteCount} bytes; build it again");
        }
    }

    private SectionEntry Find(string name) => _sections[Index(name)];

    private int Index(string name)
    {
        ulong code = NameCode(name);
        int at = Array.FindIndex(_sections, section => section.Name == code);
        return at >= 0 ? at : throw Invalid(name, 0, "the section is missing");
    }

    private static long PageCount(ulong byteCount) => (long)((byteCount + PageByteCount - 1) / PageByteCount);

    private long FirstPage(int section)
    {
        long first = 0;
        for (int i = 0; i < section; i++)
        {
            first += PageCount(_sections[i].Length);
        }

        return first;
    }

    /// <summary>The page checksums, after comparing them with the header's, so that every page can be trusted to one compare.</summary>
    private ulong* ReadPages()
    {
        ulong* pages = Pointer<ulong>(PagesName, out long count);
        SectionEntry own = _sections[^1];
        if (own.Name != NameCode(PagesName) || XxHash3.HashToUInt64(new ReadOnlySpan<byte>(pages, checked((int)own.Length))) != own.Hash)
        {
            throw Invalid(PagesName, (long)own.Offset, $"the checksum of its {own.Length} bytes does not match: the file is damaged; build it again");
        }

        if (count != FirstPage(_sections.Length - 1))
        {
            throw Invalid(PagesName, (long)own.Offset, $"{count} checksums where {FirstPage(_sections.Length - 1)} belong");
        }

        for (int i = 0; i < _sections.Length - 1; i++)
        {
            if (XxHash3.HashToUInt64(new ReadOnlySpan<byte>(pages + FirstPage(i), (int)PageCount(_sections[i].Length) * sizeof(ulong))) != _sections[i].Hash)
            {
                throw Invalid(NameText(_sections[i].Name), (long)_sections[i].Offset, "the checksum of its page checksums does not match: the file is damaged; build it again");
            }
        }

        return pages;
    }

    private void VerifyPage(int section, long firstPage, long page)
    {
        SectionEntry entry = _sections[section];
        ulong offset = entry.Offset + ((ulong)page * PageByteCount);
        int byteCount = (int)Math.Min(PageByteCount, entry.Offset + entry.Length - offset);
        if (XxHash3.HashToUInt64(new ReadOnlySpan<byte>(_start + offset, byteCount)) != _pageHashes[firstPage + page])
        {
            throw Invalid(NameText(entry.Name), (long)offset, $"the checksum of its {byteCount} bytes does not match: the file is damaged; build it again");
        }
    }

    private void CheckZero(string section, ulong from, ulong to)
    {
        if (new ReadOnlySpan<byte>(_start + from, (int)(to - from)).ContainsAnyExcept((byte)0))
        {
            throw Invalid(section, (long)from, "the padding before it is not zero: the file is damaged; build it again");
        }
    }
}
