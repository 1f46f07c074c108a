using System.Text;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>A segment's field values by column, memory-mapped and checked when a column is first read. Safe for concurrent readers.</summary>
internal sealed unsafe class FieldColumns : IDisposable
{
    public const string FileName = "fields.tern";

    /// <summary>"TernFld" in ASCII.</summary>
    public static readonly ulong Magic = SectionFile.NameCode("TernFld");

    private readonly SectionFile _file;
    private readonly ulong* _present;
    private readonly long* _values;
    private readonly PageGuard _presentGuard;
    private readonly PageGuard _valueGuard;
    private readonly StringTable _strings;

    private FieldColumns(SectionFile file)
    {
        _file = file;
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
        _presentGuard = file.Guard("present");
        _valueGuard = file.Guard("values");
        long starts = file.Place("strstart").Length / sizeof(ulong);
        StringCount = starts is >= 1 and <= int.MaxValue ? (int)starts - 1 : throw file.InvalidElement("strstart", $"{starts} starts");
        _strings = new StringTable(file, "strstart", "strbytes", StringCount);
    }

    public int DocumentCount { get; }

    public IReadOnlyList<FieldDefinition> Fields { get; }

    public int StringCount { get; }

    public int WordCount { get; }

    public long ByteCount => _file.ByteCount;

    public ulong HeaderHash => _file.HeaderHash;

    public static FieldColumns Open(IFileSystem files, string directory, bool verify)
    {
        SectionFile file = files.OpenSections(Path.Combine(directory, FileName), Magic);
        try
        {
            if (verify)
            {
                file.Verify();
            }

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
    public ReadOnlySpan<ulong> Present(int field)
    {
        _presentGuard.Check((long)field * WordCount * sizeof(ulong), (long)WordCount * sizeof(ulong));
        return new ReadOnlySpan<ulong>(_present + ((nint)field * WordCount), WordCount);
    }

    /// <summary>[DocumentCount]: bits of numbers, ticks of dates, 0 or 1, places of strings; 0 where there is none.</summary>
    public ReadOnlySpan<long> Values(int field)
    {
        _valueGuard.Check((long)field * DocumentCount * sizeof(long), (long)DocumentCount * sizeof(long));
        return new ReadOnlySpan<long>(_values + ((nint)field * DocumentCount), DocumentCount);
    }

    /// <summary>How many of the strings are before this one in byte order, and whether it is among them.</summary>
    public int LowerBound(ReadOnlySpan<byte> utf8, out bool isThere)
    {
        int low = 0;
        for (int high = StringCount; low < high;)
        {
            int middle = low + ((high - low) >> 1);
            if (_strings[middle].SequenceCompareTo(utf8) < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        isThere = low < StringCount && _strings[low].SequenceEqual(utf8);
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
                values.Add(Fields[f].Name, Fields[f].Kind == FieldKind.String ? FieldValue.Of(String(bits)) : Value(f, bits));
            }
        }

        return values;
    }

    public void Dispose() => _file.Dispose();

    private static FieldDefinition[] ReadFields(SectionFile file, int count)
    {
        string[] lines = Encoding.UTF8.GetString(file.Table<byte>("schema")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        try
        {
            FieldDefinition[] fields = Array.ConvertAll(lines, FieldDefinition.Parse);
            return fields.Length == count && fields.DistinctBy(field => field.Name).Count() == count ? fields : throw file.InvalidElement("schema", $"{lines.Length} fields where {count} of different names belong");
        }
        catch (ArgumentException e)
        {
            throw file.InvalidElement("schema", e.Message);
        }
    }

    private string String(long place) => (ulong)place < (ulong)StringCount ? Encoding.UTF8.GetString(_strings[place]) : throw _file.InvalidElement("values", $"string {place} of {StringCount}");

    private FieldValue Value(int field, long bits)
    {
        try
        {
            return FieldValue.OfBits(Fields[field].Kind, bits);
        }
        catch (ArgumentException e)
        {
            throw _file.InvalidElement("values", $"field '{Fields[field].Name}': {e.Message}");
        }
    }
}
