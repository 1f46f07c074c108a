using System.Text;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>A segment's field values by column, memory-mapped and checked when opened. Safe for concurrent readers.</summary>
internal sealed unsafe class FieldColumns : IDisposable
{
    public const string FileName = "fields.tern";

    /// <summary>"TernFld" in ASCII.</summary>
    public static readonly ulong Magic = SectionFile.NameCode("TernFld");

    private readonly SectionFile _file;
    private readonly ulong* _present;
    private readonly long* _values;
    private readonly ulong* _starts;
    private readonly byte* _bytes;

    private FieldColumns(SectionFile file)
    {
        _file = file;
        file.Verify();
        ReadOnlySpan<int> counts = file.Table<int>("params");
        if (counts is not [>= 0, >= 0])
        {
            throw file.InvalidElement("params", "not the counts of documents and fields");
        }

        DocumentCount = counts[0];
        Fields = ReadFields(file, counts[1]);
        WordCount = DocumentFilter.WordCount(DocumentCount);
        _present = file.Pointer<ulong>("present", (long)Fields.Count * WordCount);
        _values = file.Pointer<long>("values", (long)Fields.Count * DocumentCount);
        _starts = file.Pointer<ulong>("strstart", out long starts);
        StringCount = starts is >= 1 and <= int.MaxValue ? (int)starts - 1 : throw file.InvalidElement("strstart", $"{starts} starts");
        _bytes = file.Pointer<byte>("strbytes", (long)_starts[StringCount]);
    }

    public int DocumentCount { get; }

    public IReadOnlyList<FieldDefinition> Fields { get; }

    public int StringCount { get; }

    public int WordCount { get; }

    public long ByteCount => _file.ByteCount;

    public ulong HeaderHash => _file.HeaderHash;

    public static FieldColumns Open(IFileSystem files, string directory)
    {
        SectionFile file = files.OpenSections(Path.Combine(directory, FileName), Magic);
        try
        {
            return new FieldColumns(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public void Verify() => _file.Verify();

    /// <summary>A bit for each document that has a value in the field.</summary>
    public ReadOnlySpan<ulong> Present(int field) => new(_present + ((nint)field * WordCount), WordCount);

    /// <summary>[DocumentCount]: bits of numbers, ticks of dates, 0 or 1, places of strings; 0 where there is none.</summary>
    public ReadOnlySpan<long> Values(int field) => new(_values + ((nint)field * DocumentCount), DocumentCount);

    /// <summary>How many of the strings are before this one in byte order, and whether it is among them.</summary>
    public int LowerBound(ReadOnlySpan<byte> utf8, out bool isThere)
    {
        int low = 0;
        for (int high = StringCount; low < high;)
        {
            int middle = low + ((high - low) >> 1);
            if (String(middle).SequenceCompareTo(utf8) < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        isThere = low < StringCount && String(low).SequenceEqual(utf8);
        return low;
    }

    /// <summary>What a document holds, as it was added.</summary>
    public Dictionary<string, FieldValue> Document(int document)
    {
        var values = new Dictionary<string, FieldValue>();
        for (int f = 0; f < Fields.Count; f++)
        {
            if ((Present(f)[document >> 6] >> (document & 63) & 1) != 0)
            {
                long bits = Values(f)[document];
                values.Add(Fields[f].Name, Fields[f].Kind == FieldKind.String ? FieldValue.Of(Encoding.UTF8.GetString(String((int)bits))) : FieldValue.OfBits(Fields[f].Kind, bits));
            }
        }

        return values;
    }

    public void Dispose() => _file.Dispose();

    private static FieldDefinition[] ReadFields(SectionFile file, int count)
    {
        string[] lines = Encoding.UTF8.GetString(file.Table<byte>("schema")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return lines.Length == count ? Array.ConvertAll(lines, FieldDefinition.Parse) : throw file.InvalidElement("schema", $"{lines.Length} fields where {count} belong");
    }

    private ReadOnlySpan<byte> String(int place) => place < StringCount ? new ReadOnlySpan<byte>(_bytes + _starts[place], (int)(_starts[place + 1] - _starts[place])) : throw _file.InvalidElement("values", $"string {place} of {StringCount}");
}
