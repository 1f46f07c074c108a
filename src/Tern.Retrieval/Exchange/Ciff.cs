namespace Tern.Retrieval.Exchange;

/// <summary>The first message of a CIFF file.</summary>
public sealed record CiffHeader(int Version, int PostingListCount, int DocumentCount, string Description);

/// <summary>
/// The Common Index File Format, version 1: length-delimited protocol buffers, a header, posting lists in ascending order
/// of the terms' bytes with gaps between document numbers, then a record for each document. The impact is the term
/// frequency. PISA, BMP, Lucene and others read it; BMP wants impacts of at most 255.
/// </summary>
public static class Ciff
{
    private const int Version = 1;

    /// <summary>
    /// Reads <paramref name="documents"/> twice (terms and counts, then postings) and sorts on disk what does not fit
    /// <paramref name="bufferCount"/> postings. One posting list and one id a document are in memory. Returns how many
    /// documents have no impact left.
    /// </summary>
    public static int Write(Stream stream, IEnumerable<SparseDocument> documents, TermNames names, ImpactRounding rounding, int bufferCount = PostingSorter.DefaultBufferCount)
    {
        int[] terms = TermsInOrder(documents, names);
        int[] placeOfTerm = new int[terms.Length == 0 ? 0 : terms.Max() + 1];
        for (int place = 0; place < terms.Length; place++)
        {
            placeOfTerm[terms[place]] = place;
        }

        using var sorter = new PostingSorter(bufferCount);
        var ids = new List<string>();
        var lengths = new List<int>();
        var isListed = new bool[terms.Length];
        foreach (SparseDocument document in documents)
        {
            int length = 0;
            for (int i = 0; i < document.Vector.Count; i++)
            {
                int impact = rounding.Round(document.Vector.WeightSpan[i]);
                if (impact > 0)
                {
                    int place = placeOfTerm[document.Vector.TermSpan[i]];
                    sorter.Add(place, ids.Count, impact);
                    isListed[place] = true;
                    length = checked(length + impact);
                }
            }

            ids.Add(document.Id);
            lengths.Add(length);
        }

        var writer = new ProtobufWriter(stream);
        int listCount = isListed.Count(listed => listed);
        WriteHeader(stream, listCount, lengths, rounding.Scale);
        WriteLists(stream, sorter, terms, names);
        using var record = new MemoryStream();
        for (int i = 0; i < ids.Count; i++)
        {
            record.SetLength(0);
            var fields = new ProtobufWriter(record);
            fields.Number(1, i);
            fields.Text(2, ids[i]);
            fields.Number(3, lengths[i]);
            writer.Varint((ulong)record.Length);
            stream.Write(record.GetBuffer(), 0, (int)record.Length);
        }

        return lengths.Count(length => length == 0);
    }

    /// <summary>The description and the counts, without reading further.</summary>
    public static CiffHeader ReadHeader(string path)
    {
        using Stream stream = ExchangeInput.Open(path);
        return ReadHeader(new ProtobufReader(stream, path));
    }

    /// <summary>
    /// Reads a file back into documents in the order of their numbers, weight = impact / <paramref name="scale"/>.
    /// Postings are sorted on disk as in <see cref="Write"/>. Damage is an <see cref="InvalidDataException"/> with path
    /// and byte.
    /// </summary>
    public static IEnumerable<SparseDocument> Read(string path, TermNames names, double scale = 1, int bufferCount = PostingSorter.DefaultBufferCount)
    {
        using Stream file = ExchangeInput.Open(path);
        using var stream = new BufferedStream(file, 1 << 16);
        var reader = new ProtobufReader(stream, path);
        CiffHeader header = ReadHeader(reader);
        using var sorter = new PostingSorter(bufferCount);
        int largest = -1;
        for (int list = 0; list < header.PostingListCount; list++)
        {
            largest = Math.Max(largest, ReadList(reader, names, sorter));
        }

        string[] ids = ReadRecords(reader, header.DocumentCount, largest);
        if (!reader.AtEnd())
        {
            throw reader.Invalid("more bytes after the last document record");
        }

        int next = 0;
        List<int> terms = [];
        List<float> weights = [];
        foreach ((int document, int term, int impact) in sorter.Sorted())
        {
            for (; next < document; next++)
            {
                yield return Take(path, ids[next], terms, weights);
            }

            terms.Add(term);
            weights.Add((float)(impact / scale));
        }

        for (; next < ids.Length; next++)
        {
            yield return Take(path, ids[next], terms, weights);
        }
    }

    private static SparseDocument Take(string path, string id, List<int> terms, List<float> weights)
    {
        try
        {
            return new SparseDocument(id, new SparseVector([.. terms], [.. weights]));
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{path}: document '{id}': {e.Message.Split(" (Parameter", 2)[0]}", e);
        }
        finally
        {
            terms.Clear();
            weights.Clear();
        }
    }

    private static int[] TermsInOrder(IEnumerable<SparseDocument> documents, TermNames names)
    {
        var present = new HashSet<int>();
        foreach (SparseDocument document in documents)
        {
            foreach (int term in document.Vector.TermSpan)
            {
                present.Add(term);
            }
        }

        (int Term, byte[] Name)[] terms = [.. present.Select(term => (term, System.Text.Encoding.UTF8.GetBytes(names.Name(term))))];
        Array.Sort(terms, (a, b) => a.Name.AsSpan().SequenceCompareTo(b.Name));
        return Array.ConvertAll(terms, t => t.Term);
    }

    private static void WriteHeader(Stream stream, int listCount, List<int> lengths, double scale)
    {
        long total = lengths.Sum(length => (long)length);
        using var message = new MemoryStream();
        var fields = new ProtobufWriter(message);
        fields.Number(1, Version);
        fields.Number(2, listCount);
        fields.Number(3, lengths.Count);
        fields.Number(4, listCount);
        fields.Number(5, lengths.Count);
        fields.Number(6, total);
        fields.Double(7, lengths.Count == 0 ? 0 : (double)total / lengths.Count);
        fields.Text(8, FormattableString.Invariant($"Tern: learned sparse vectors; tf = round(weight * {scale:R})"));
        new ProtobufWriter(stream).Varint((ulong)message.Length);
        message.WriteTo(stream);
    }

    private static void WriteLists(Stream stream, PostingSorter sorter, int[] terms, TermNames names)
    {
        var list = new List<(int Document, int Impact)>();
        int current = -1;
        foreach ((int place, int document, int impact) in sorter.Sorted())
        {
            if (place != current)
            {
                WriteList(stream, list, current < 0 ? "" : names.Name(terms[current]));
                current = place;
            }

            list.Add((document, impact));
        }

        WriteList(stream, list, current < 0 ? "" : names.Name(terms[current]));
    }

    private static void WriteList(Stream stream, List<(int Document, int Impact)> list, string term)
    {
        if (list.Count == 0)
        {
            return;
        }

        byte[] name = System.Text.Encoding.UTF8.GetBytes(term);
        long frequency = list.Sum(posting => (long)posting.Impact);
        long byteCount = 1 + ProtobufWriter.VarintByteCount((ulong)name.Length) + name.Length
            + 1 + ProtobufWriter.VarintByteCount((ulong)list.Count) + 1 + ProtobufWriter.VarintByteCount((ulong)frequency);
        for (int i = 0; i < list.Count; i++)
        {
            byteCount += 2 + PostingByteCount(Gap(list, i), list[i].Impact);
        }

        var writer = new ProtobufWriter(stream);
        writer.Varint((ulong)byteCount);
        writer.Bytes(1, name);
        writer.Number(2, list.Count);
        writer.Number(3, frequency);
        for (int i = 0; i < list.Count; i++)
        {
            int gap = Gap(list, i);
            writer.Head(4, PostingByteCount(gap, list[i].Impact));
            writer.Number(1, gap);
            writer.Number(2, list[i].Impact);
        }

        list.Clear();
    }

    private static int Gap(List<(int Document, int Impact)> list, int i) => i == 0 ? list[0].Document : list[i].Document - list[i - 1].Document;

    private static int PostingByteCount(int gap, int impact) =>
        (gap == 0 ? 0 : 1 + ProtobufWriter.VarintByteCount((ulong)gap)) + 1 + ProtobufWriter.VarintByteCount((ulong)impact);

    private static CiffHeader ReadHeader(ProtobufReader reader)
    {
        var numbers = new int[4];
        string description = "";
        ReadMessage(reader, (field, wireType, end) =>
        {
            switch (field, wireType)
            {
                case ( >= 1 and <= 3, 0):
                    numbers[field] = reader.Int32("count in the header");
                    return true;
                case (8, 2):
                    description = reader.Text(reader.Length(end));
                    return true;
                default:
                    return false;
            }
        });
        return numbers[1] == Version
            ? new CiffHeader(numbers[1], numbers[2], numbers[3], description)
            : throw reader.Invalid($"version {numbers[1]} of CIFF; this reads version {Version} (gap-coded postings)");
    }

    /// <summary>Gives the sorter the list's postings by document; returns the largest document number.</summary>
    private static int ReadList(ProtobufReader reader, TermNames names, PostingSorter sorter)
    {
        int term = -1, document = 0, count = 0;
        long expected = 0;
        ReadMessage(reader, (field, wireType, end) =>
        {
            switch (field, wireType)
            {
                case (1, 2):
                    string name = reader.Text(reader.Length(end));
                    term = names.Find(name);
                    return term >= 0 ? true : throw reader.Invalid(names.Count == 0 ? $"the term '{name}' is not a number; name the terms' texts with a list or a model" : $"the term '{name}' is not among the {names.Count} known ones");
                case (2, 0):
                    expected = (long)reader.Varint();
                    return true;
                case (4, 2):
                    if (term < 0)
                    {
                        throw reader.Invalid("postings before their term");
                    }

                    (int gap, int impact) = ReadPair(reader, end);
                    if (gap < 0 || (count > 0 && gap == 0) || gap > int.MaxValue - document || impact <= 0)
                    {
                        throw reader.Invalid($"a posting with gap {gap} and impact {impact} after document {document}");
                    }

                    document += gap;
                    count++;
                    sorter.Add(document, term, impact);
                    return true;
                default:
                    return false;
            }
        });
        return count == expected ? document : throw reader.Invalid($"a list of {count} postings where df is {expected}");
    }

    private static (int First, int Second) ReadPair(ProtobufReader reader, long outerEnd)
    {
        long end = reader.Length(outerEnd);
        end += reader.Position;
        int first = 0, second = 0;
        while (reader.Position < end)
        {
            ulong key = reader.Varint();
            switch (key)
            {
                case 1 << 3:
                    first = reader.Int32("document number");
                    break;
                case 2 << 3:
                    second = reader.Int32("impact");
                    break;
                default:
                    reader.Skip((int)(key & 7), end);
                    break;
            }
        }

        return (first, second);
    }

    private static string[] ReadRecords(ProtobufReader reader, int count, int largest)
    {
        if (largest >= count)
        {
            throw reader.Invalid($"a posting of document {largest}, but there are records for {count} documents");
        }

        var ids = new List<string>();
        for (int i = 0; i < count; i++)
        {
            int document = 0;
            string? id = null;
            ReadMessage(reader, (field, wireType, end) =>
            {
                switch (field, wireType)
                {
                    case (1, 0):
                        document = reader.Int32("document number");
                        return true;
                    case (2, 2):
                        id = reader.Text(reader.Length(end));
                        return true;
                    default:
                        return false;
                }
            });
            ids.Add(document == i && id is not null ? id : throw reader.Invalid(id is null ? $"the record of document {document} has no id" : $"the record of document {document} where that of {i} belongs"));
        }

        return [.. ids];
    }

    private static void ReadMessage(ProtobufReader reader, Func<int, int, long, bool> readField)
    {
        long end = reader.Length(long.MaxValue);
        end += reader.Position;
        while (reader.Position < end)
        {
            ulong key = reader.Varint();
            if (key >> 3 is 0 or > 1 << 29)
            {
                throw reader.Invalid("a field without a number");
            }

            if (!readField((int)(key >> 3), (int)(key & 7), end))
            {
                reader.Skip((int)(key & 7), end);
            }
        }

        if (reader.Position != end)
        {
            throw reader.Invalid("a field that is longer than its message");
        }
    }
}
