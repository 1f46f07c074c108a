using System.Text;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>Collects documents' field values and writes them as columns (FORMAT.md).</summary>
internal sealed class FieldColumnsWriter(IReadOnlyList<FieldDefinition> fields)
{
    private readonly List<FieldValue?[]> _documents = [];

    public void Add(string id, IReadOnlyDictionary<string, FieldValue> values)
    {
        var row = new FieldValue?[fields.Count];
        foreach ((string name, FieldValue value) in values)
        {
            int at = Find(fields, name);
            if (at < 0)
            {
                throw new ArgumentException($"document '{id}' has a field '{name}'; the index has {Describe(fields)}");
            }

            row[at] = value.Kind == fields[at].Kind ? value : throw new ArgumentException($"document '{id}': field '{name}' holds a {value.Kind.ToString().ToLowerInvariant()}; the index keeps it as {fields[at].Kind.ToString().ToLowerInvariant()}");
        }

        _documents.Add(row);
    }

    /// <param name="order">The document, in the order of adding, at each place; null keeps the order.</param>
    public void Write(IFileSystem files, string path, int[]? order)
    {
        List<FieldValue?[]> documents = order is null ? _documents : [.. order.Select(document => _documents[document])];
        (string[] strings, Dictionary<string, long> codes) = Strings();
        using var writer = new SectionFileWriter(files, path, FieldColumns.Magic);
        writer.Write<int>("params", [_documents.Count, fields.Count]);
        writer.Begin("schema");
        writer.Append(string.Concat(fields.Select(field => $"{field}\n")));
        writer.Begin("present");
        var present = new ulong[DocumentFilter.WordCount(_documents.Count)];
        for (int f = 0; f < fields.Count; f++)
        {
            Array.Clear(present);
            for (int d = 0; d < _documents.Count; d++)
            {
                present[d >> 6] |= (documents[d][f] is null ? 0UL : 1UL) << (d & 63);
            }

            writer.Append<ulong>(present);
        }

        writer.Begin("values");
        for (int f = 0; f < fields.Count; f++)
        {
            int column = f;
            writer.Append<long>(documents.ConvertAll(row => row[column] is not { } value ? 0 : value.Text is { } text ? codes[text] : value.Bits).ToArray());
        }

        var starts = new ulong[strings.Length + 1];
        writer.Begin("strbytes");
        for (int i = 0; i < strings.Length; i++)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(strings[i]);
            writer.Append<byte>(utf8);
            starts[i + 1] = starts[i] + (ulong)utf8.Length;
        }

        writer.Write<ulong>("strstart", starts);
        writer.Complete();
    }

    internal static int Find(IReadOnlyList<FieldDefinition> fields, string name)
    {
        for (int i = 0; i < fields.Count; i++)
        {
            if (fields[i].Name == name)
            {
                return i;
            }
        }

        return -1;
    }

    internal static string Describe(IReadOnlyList<FieldDefinition> fields) => fields.Count == 0 ? "no fields" : $"the fields {string.Join(", ", fields)}";

    /// <summary>All distinct strings in byte order, and the place of each.</summary>
    private (string[] Strings, Dictionary<string, long> Codes) Strings()
    {
        string[] strings = [.. _documents.SelectMany(row => row).Select(value => value?.Text).OfType<string>().Distinct()];
        WordTable.Sort(strings);
        var codes = new Dictionary<string, long>(strings.Length);
        for (int i = 0; i < strings.Length; i++)
        {
            codes.Add(strings[i], i);
        }

        return (strings, codes);
    }
}
