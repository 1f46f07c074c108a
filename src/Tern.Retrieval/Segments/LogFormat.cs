using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace Tern.Retrieval;

/// <summary>A change of a log: a document as it now is, or without one, that its id is gone.</summary>
internal readonly record struct DocumentChange(string Id, IndexDocument? Document);

/// <summary>What a log holds: the changes of all its commits, the last of each id, and where its last commit ends.</summary>
internal sealed record LogContent(long BaseCommit, long Commit, long End, IReadOnlyDictionary<string, IndexDocument?> Changes);

/// <summary>
/// The bytes of a log (FORMAT.md): a header, two slots that say in turn where the last durable commit ends, and a record for
/// each commit. Up to that end every record must be whole; after it a record that is not was never committed.
/// </summary>
internal static class LogFormat
{
    public const int Version = 1;
    public const int SectorByteCount = 512;
    public const int RecordsOffset = 3 * SectorByteCount;
    public const int RecordHeaderByteCount = 24;

    /// <summary>"TernLog" in ASCII.</summary>
    private static readonly ulong Magic = Files.SectionFile.NameCode("TernLog");

    /// <summary>Header and slots of a log without commits.</summary>
    public static byte[] Empty(long baseCommit)
    {
        var bytes = new byte[RecordsOffset];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), baseCommit);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(24), XxHash3.HashToUInt64(bytes.AsSpan(0, 24)));
        Slot(baseCommit, RecordsOffset).CopyTo(bytes.AsSpan(SectorByteCount));
        Slot(baseCommit, RecordsOffset).CopyTo(bytes.AsSpan(2 * SectorByteCount));
        return bytes;
    }

    /// <summary>Where the slot of a commit lies: two neighbours never share one.</summary>
    public static long SlotOffset(long commit) => (1 + (commit & 1)) * SectorByteCount;

    public static byte[] Slot(long commit, long end)
    {
        var slot = new byte[24];
        BinaryPrimitives.WriteInt64LittleEndian(slot, commit);
        BinaryPrimitives.WriteInt64LittleEndian(slot.AsSpan(8), end);
        BinaryPrimitives.WriteUInt64LittleEndian(slot.AsSpan(16), XxHash3.HashToUInt64(slot.AsSpan(0, 16)));
        return slot;
    }

    /// <summary>A commit's record.</summary>
    public static byte[] Record(long commit, IReadOnlyCollection<KeyValuePair<string, IndexDocument?>> changes)
    {
        using var stream = new MemoryStream();
        stream.Write(new byte[RecordHeaderByteCount]);
        using (var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(changes.Count);
            foreach ((string id, IndexDocument? document) in changes)
            {
                writer.Write(id);
                writer.Write(document is not null);
                if (document is not null)
                {
                    Write(writer, document);
                }
            }
        }

        byte[] record = stream.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(record, commit);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(8), record.Length - RecordHeaderByteCount);
        BinaryPrimitives.WriteUInt64LittleEndian(record.AsSpan(16), Hash(record));
        return record;
    }

    /// <summary>Everything committed in a log; damage is an <see cref="InvalidDataException"/> with path and offset.</summary>
    public static LogContent Read(string path, ReadOnlySpan<byte> log, IndexSettings settings)
    {
        if (log.Length < RecordsOffset)
        {
            throw Invalid(path, "header", log.Length, $"the log ends inside its header ({log.Length} of {RecordsOffset} bytes)");
        }

        ReadOnlySpan<byte> header = log[..SectorByteCount];
        if (BinaryPrimitives.ReadUInt64LittleEndian(header) != Magic || XxHash3.HashToUInt64(header[..24]) != BinaryPrimitives.ReadUInt64LittleEndian(header[24..]) || header[32..].ContainsAnyExcept((byte)0))
        {
            throw Invalid(path, "header", 0, "the header's checksum does not match");
        }

        int version = BinaryPrimitives.ReadInt32LittleEndian(header[8..]);
        if (version != Version)
        {
            throw Invalid(path, "header", 8, $"format version {version}, this build reads {Version}");
        }

        long baseCommit = BinaryPrimitives.ReadInt64LittleEndian(header[16..]);
        long durable = Math.Max(ReadSlot(path, log, 1), ReadSlot(path, log, 2));
        if (durable > log.Length)
        {
            throw Invalid(path, "records", log.Length, $"the log was cut: its last commit ends at {durable}");
        }

        var changes = new Dictionary<string, IndexDocument?>();
        long commit = baseCommit, at = RecordsOffset;
        while (at < log.Length && TryReadRecord(log[(int)at..], commit + 1, out int byteCount))
        {
            Apply(path, at, log.Slice((int)at + RecordHeaderByteCount, byteCount - RecordHeaderByteCount), settings, changes);
            commit++;
            at += byteCount;
        }

        return at >= durable
            ? new LogContent(baseCommit, commit, at, changes)
            : throw Invalid(path, "records", at, $"the record of commit {commit + 1} does not match its checksum");
    }

    private static long ReadSlot(string path, ReadOnlySpan<byte> log, int sector)
    {
        ReadOnlySpan<byte> slot = log.Slice(sector * SectorByteCount, SectorByteCount);
        long end = BinaryPrimitives.ReadInt64LittleEndian(slot[8..]);
        return XxHash3.HashToUInt64(slot[..16]) == BinaryPrimitives.ReadUInt64LittleEndian(slot[16..]) && !slot[24..].ContainsAnyExcept((byte)0)
            ? end
            : throw Invalid(path, $"slot {sector}", sector * SectorByteCount, "its checksum does not match");
    }

    private static bool TryReadRecord(ReadOnlySpan<byte> log, long commit, out int byteCount)
    {
        byteCount = 0;
        if (log.Length < RecordHeaderByteCount || BinaryPrimitives.ReadInt64LittleEndian(log) != commit)
        {
            return false;
        }

        long payload = BinaryPrimitives.ReadInt64LittleEndian(log[8..]);
        if (payload < 0 || payload > log.Length - RecordHeaderByteCount)
        {
            return false;
        }

        byteCount = RecordHeaderByteCount + (int)payload;
        return Hash(log[..byteCount]) == BinaryPrimitives.ReadUInt64LittleEndian(log[16..]);
    }

    /// <summary>Of a whole record, without the place of the hash itself.</summary>
    public static ulong Hash(ReadOnlySpan<byte> record)
    {
        var hash = new XxHash3();
        hash.Append(record[..16]);
        hash.Append(record[RecordHeaderByteCount..]);
        return hash.GetCurrentHashAsUInt64();
    }

    private static void Apply(string path, long offset, ReadOnlySpan<byte> payload, IndexSettings settings, Dictionary<string, IndexDocument?> changes)
    {
        try
        {
            using var reader = new BinaryReader(new MemoryStream(payload.ToArray()));
            for (int count = reader.ReadInt32(); count > 0; count--)
            {
                string id = reader.ReadString();
                changes.Remove(id);
                changes.Add(id, reader.ReadBoolean() ? ReadDocument(reader, id, settings) : null);
            }
        }
        catch (Exception e) when (e is EndOfStreamException or ArgumentException or FormatException or OverflowException)
        {
            throw Invalid(path, "records", offset, $"a change cannot be read: {e.Message}");
        }
    }

    private static void Write(BinaryWriter writer, IndexDocument document)
    {
        if (document.Sparse is { } vector)
        {
            writer.Write(vector.Count);
            writer.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(vector.TermSpan));
            writer.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(vector.WeightSpan));
        }
        else
        {
            writer.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(document.Dense.Span));
        }

        writer.Write(document.Payload.Length);
        writer.Write(document.Payload.Span);
        writer.Write(document.Fields.Count);
        foreach ((string name, FieldValue value) in document.Fields)
        {
            writer.Write(name);
            writer.Write((byte)value.Kind);
            if (value.Kind == FieldKind.String)
            {
                writer.Write(value.Text!);
            }
            else
            {
                writer.Write(value.Bits);
            }
        }
    }

    private static IndexDocument ReadDocument(BinaryReader reader, string id, IndexSettings settings)
    {
        SparseVector? sparse = null;
        float[] dense = [];
        if (settings.Kind == VectorKind.Sparse)
        {
            int count = Count(reader, 2 * sizeof(int));
            int[] terms = Values<int>(reader, count);
            sparse = new SparseVector(terms, Values<float>(reader, count));
        }
        else
        {
            dense = Values<float>(reader, settings.Dimension);
        }

        byte[] payload = reader.ReadBytes(Count(reader, 1));
        var fields = new Dictionary<string, FieldValue>();
        for (int count = Count(reader, 3); count > 0; count--)
        {
            string name = reader.ReadString();
            var kind = (FieldKind)reader.ReadByte();
            fields.Add(name, kind == FieldKind.String ? FieldValue.Of(reader.ReadString()) : FieldValue.OfBits(kind, reader.ReadInt64()));
        }

        var document = new IndexDocument(id) { Sparse = sparse, Dense = dense, Payload = payload, Fields = fields };
        settings.Check(document);
        return document;
    }

    /// <summary>A count of things of so many bytes at least, which must still be there.</summary>
    private static int Count(BinaryReader reader, int least)
    {
        int count = reader.ReadInt32();
        return count >= 0 && (long)count * least <= reader.BaseStream.Length - reader.BaseStream.Position ? count : throw new EndOfStreamException($"{count} values do not fit the record");
    }

    private static T[] Values<T>(BinaryReader reader, int count)
        where T : unmanaged
    {
        // A wrong count must not cost the memory that it asks for.
        if (count > (reader.BaseStream.Length - reader.BaseStream.Position) / System.Runtime.CompilerServices.Unsafe.SizeOf<T>())
        {
            throw new EndOfStreamException($"{count} values do not fit the record");
        }

        var values = new T[count];
        reader.BaseStream.ReadExactly(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    private static InvalidDataException Invalid(string path, string section, long offset, string problem) => new($"{path}: section '{section}' at offset {offset}: {problem}: the file is damaged; restore the index or build it again");
}
