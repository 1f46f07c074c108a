using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Tern.Model.Checkpoints;

/// <summary>Where one tensor lies in a safetensors file. <paramref name="Offset"/> counts from the start of the file.</summary>
public sealed record SafetensorsEntry(string Name, string DType, IReadOnlyList<long> Shape, long Offset, long ByteCount)
{
    /// <summary>The shape as <c>[2, 3]</c>.</summary>
    public string ShapeText => $"[{string.Join(", ", Shape)}]";
}

/// <summary>
/// A memory-mapped safetensors file. The whole header is checked when it is opened, so that every entry lies inside the
/// file and none overlap. Addresses are valid until disposal. Safe for concurrent readers.
/// </summary>
public sealed unsafe partial class SafetensorsFile : IDisposable
{
    private const long MaxHeaderByteCount = 100_000_000;
    private const int LengthByteCount = 8;
    private const int DontNeed = 4; // MADV_DONTNEED

    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _start;
    private bool _disposed;

    private SafetensorsFile(string path, MemoryMappedFile map, MemoryMappedViewAccessor view, long length)
    {
        Path = path;
        _map = map;
        _view = view;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        _start += _view.PointerOffset;
        try
        {
            Entries = ReadHeader(length);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public string Path { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Entries { get; }

    /// <summary>Maps a file and checks its header.</summary>
    /// <exception cref="InvalidDataException">Truncated or damaged; names the file, the offset and what to do.</exception>
    public static SafetensorsFile Open(string path)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: not found", path);
        }

        long length = new FileInfo(path).Length;
        if (length < LengthByteCount)
        {
            throw new InvalidDataException($"{path}: {length} bytes, too short for a safetensors file: it was cut off; copy or download it again");
        }

        MemoryMappedFile map = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        try
        {
            return new SafetensorsFile(path, map, map.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read), length);
        }
        catch
        {
            map.Dispose();
            throw;
        }
    }

    /// <summary>Address of a tensor's first byte.</summary>
    public nint Address(SafetensorsEntry entry)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return (nint)(_start + entry.Offset);
    }

    /// <summary>Gives the pages of a tensor back to the system; the next access reads them again.</summary>
    public void Release(SafetensorsEntry entry)
    {
        if (OperatingSystem.IsLinux())
        {
            nint page = Environment.SystemPageSize;
            nint first = (Address(entry) + page - 1) / page * page;
            nint end = (Address(entry) + (nint)entry.ByteCount) / page * page;
            if (end > first)
            {
                _ = MemoryAdvise(first, (nuint)(end - first), DontNeed); // Advice: nothing is lost if it is not taken.
            }
        }
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _map.Dispose();
        }
    }

    /// <summary>Bytes of one element, or 0 for a type that the format does not have.</summary>
    internal static int ElementByteCount(string dtype) => dtype switch
    {
        "F64" or "I64" or "U64" => 8,
        "F32" or "I32" or "U32" => 4,
        "F16" or "BF16" or "I16" or "U16" => 2,
        "I8" or "U8" or "BOOL" or "F8_E4M3" or "F8_E5M2" => 1,
        _ => 0,
    };

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MemoryAdvise(nint address, nuint length, int advice);

    private Dictionary<string, SafetensorsEntry> ReadHeader(long length)
    {
        long headerByteCount = *(long*)_start;
        if (headerByteCount is < 2 or > MaxHeaderByteCount)
        {
            throw new InvalidDataException($"{Path}: offset 0: header length {headerByteCount} is not between 2 and {MaxHeaderByteCount}: not a safetensors file, or damaged; copy or download it again");
        }

        long dataStart = LengthByteCount + headerByteCount;
        if (dataStart > length)
        {
            throw new InvalidDataException($"{Path}: offset {length}: the file ends inside its header, which goes on to {dataStart}: it was cut off; copy or download it again");
        }

        var entries = new Dictionary<string, SafetensorsEntry>(StringComparer.Ordinal);
        try
        {
            using var stream = new UnmanagedMemoryStream(_start + LengthByteCount, headerByteCount);
            using JsonDocument header = JsonDocument.Parse(stream);
            foreach (JsonProperty property in header.RootElement.EnumerateObject())
            {
                if (property.Name != "__metadata__" && !entries.TryAdd(property.Name, ReadEntry(property, dataStart)))
                {
                    throw new InvalidDataException($"{Path}: tensor '{property.Name}' is listed twice; the file is damaged");
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new InvalidDataException($"{Path}: offset {LengthByteCount}: the header of {headerByteCount} bytes is damaged ({e.Message}); copy or download the file again", e);
        }

        // The format has neither gaps nor overlaps, and the last tensor ends the file.
        long position = dataStart;
        foreach (SafetensorsEntry entry in entries.Values.OrderBy(e => e.Offset).ThenBy(e => e.ByteCount))
        {
            if (entry.Offset != position)
            {
                throw new InvalidDataException($"{Path}: offset {entry.Offset}: tensor '{entry.Name}' {(entry.Offset < position ? "overlaps the tensor before it" : "does not follow the tensor before it")}, which ends at {position}; the file is damaged, copy or download it again");
            }

            position += entry.ByteCount;
            if (position > length)
            {
                throw new InvalidDataException($"{Path}: offset {length}: the file ends inside tensor '{entry.Name}', which goes on to {position}: it was cut off; copy or download it again");
            }
        }

        if (position != length)
        {
            throw new InvalidDataException($"{Path}: offset {position}: {length - position} bytes follow the last tensor; the file is damaged, copy or download it again");
        }

        return entries;
    }

    private SafetensorsEntry ReadEntry(JsonProperty property, long dataStart)
    {
        string dtype = property.Value.GetProperty("dtype").GetString() ?? "";
        int elementByteCount = ElementByteCount(dtype);
        if (elementByteCount == 0)
        {
            throw new InvalidDataException($"{Path}: tensor '{property.Name}' has the unknown element type '{dtype}'");
        }

        long[] shape = [.. property.Value.GetProperty("shape").EnumerateArray().Select(d => d.GetInt64())];
        JsonElement offsets = property.Value.GetProperty("data_offsets");
        if (offsets.GetArrayLength() != 2)
        {
            throw new InvalidDataException($"{Path}: tensor '{property.Name}' has {offsets.GetArrayLength()} data_offsets instead of 2");
        }

        long begin = offsets[0].GetInt64();
        long end = offsets[1].GetInt64();
        UInt128 byteCount = (UInt128)elementByteCount;
        foreach (long dimension in shape)
        {
            byteCount = dimension < 0 || byteCount > long.MaxValue ? UInt128.MaxValue : byteCount * (UInt128)dimension;
        }

        if (begin < 0 || end < begin || (UInt128)(end - begin) != byteCount || end > long.MaxValue - dataStart)
        {
            throw new InvalidDataException($"{Path}: tensor '{property.Name}' of {dtype} [{string.Join(", ", shape)}] lies at {begin}..{end}, which is not its size; the file is damaged, copy or download it again");
        }

        return new SafetensorsEntry(property.Name, dtype, shape, dataStart + begin, end - begin);
    }
}
