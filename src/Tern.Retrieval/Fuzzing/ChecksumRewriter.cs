using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text.Json;
using Tern.Retrieval.Files;

namespace Tern.Retrieval.Fuzzing;

/// <summary>
/// Makes the checksums of an index those of what its files hold, so that readers meet what a checksum would have kept from them.
/// Files that are too damaged to have any stay as they are.
/// </summary>
internal static class ChecksumRewriter
{
    /// <summary>Rewrites a file's own checksums and, of a segment or a generation that names it, the manifest's.</summary>
    public static void Rewrite(string root, string path)
    {
        string name = Path.GetFileName(path);
        byte[] bytes = File.ReadAllBytes(path);
        if (name.StartsWith("log-", StringComparison.Ordinal))
        {
            RewriteLog(bytes);
        }
        else if (name.EndsWith(".tern", StringComparison.Ordinal))
        {
            RewriteSections(bytes);
        }

        Replace(path, bytes);
        RewriteManifest(Path.GetDirectoryName(path)!);
        foreach (long generation in GenerationFiles.List(root))
        {
            RewriteGeneration(root, Path.Combine(root, GenerationFiles.Name(generation)));
        }
    }

    /// <summary>A mapped file that is written over would change under a reader; a new one does not.</summary>
    public static void Replace(string path, byte[] bytes)
    {
        File.Delete(path);
        File.WriteAllBytes(path, bytes);
    }

    private static void RewriteSections(Span<byte> file)
    {
        if (file.Length < SectionFile.HeaderByteCount)
        {
            return;
        }

        BinaryPrimitives.WriteUInt64LittleEndian(file[16..], (ulong)file.Length);
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(file[12..]);
        if (count is >= 1 and <= SectionFile.MaxSectionCount)
        {
            Span<SectionEntry> sections = MemoryMarshal.Cast<byte, SectionEntry>(file[SectionFile.TableOffset..SectionFile.HeaderHashOffset])[..(int)count];
            if (!TryRewritePages(file, sections))
            {
                return;
            }
        }

        BinaryPrimitives.WriteUInt64LittleEndian(file[SectionFile.HeaderHashOffset..], XxHash3.HashToUInt64(file[..SectionFile.HeaderHashOffset]));
    }

    private static bool TryRewritePages(Span<byte> file, Span<SectionEntry> sections)
    {
        foreach (SectionEntry section in sections)
        {
            if (section.Offset > (ulong)file.Length || section.Length > (ulong)file.Length - section.Offset)
            {
                return true;
            }
        }

        SectionEntry last = sections[^1];
        Span<byte> table = file.Slice((int)last.Offset, (int)last.Length);
        int written = 0;
        for (int i = 0; i < sections.Length - 1; i++)
        {
            int first = written;
            for (int at = 0; at < (int)sections[i].Length; at += SectionFile.PageByteCount, written += sizeof(ulong))
            {
                if (written + sizeof(ulong) > table.Length)
                {
                    return false;
                }

                int byteCount = Math.Min(SectionFile.PageByteCount, (int)sections[i].Length - at);
                BinaryPrimitives.WriteUInt64LittleEndian(table[written..], XxHash3.HashToUInt64(file.Slice((int)sections[i].Offset + at, byteCount)));
            }

            sections[i] = sections[i] with { Hash = XxHash3.HashToUInt64(table[first..written]) };
        }

        sections[^1] = last with { Hash = XxHash3.HashToUInt64(table) };
        return true;
    }

    private static void RewriteLog(Span<byte> log)
    {
        if (log.Length < LogFormat.RecordsOffset)
        {
            return;
        }

        BinaryPrimitives.WriteUInt64LittleEndian(log[24..], XxHash3.HashToUInt64(log[..24]));
        for (int slot = LogFormat.SectorByteCount; slot < LogFormat.RecordsOffset; slot += LogFormat.SectorByteCount)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(log[(slot + 16)..], XxHash3.HashToUInt64(log.Slice(slot, 16)));
        }

        for (long at = LogFormat.RecordsOffset; at + LogFormat.RecordHeaderByteCount <= log.Length;)
        {
            long payload = BinaryPrimitives.ReadInt64LittleEndian(log[((int)at + 8)..]);
            if (payload < 0 || payload > log.Length - at - LogFormat.RecordHeaderByteCount)
            {
                return;
            }

            Span<byte> record = log.Slice((int)at, LogFormat.RecordHeaderByteCount + (int)payload);
            BinaryPrimitives.WriteUInt64LittleEndian(record[16..], LogFormat.Hash(record));
            at += record.Length;
        }
    }

    private static void RewriteManifest(string directory)
    {
        string path = Path.Combine(directory, IndexManifest.FileName);
        if (File.Exists(path) && TryParse(path, ManifestJsonContext.Default.IndexManifest) is { } manifest)
        {
            string segment = Path.Combine(directory, File.Exists(Path.Combine(directory, DenseIndex.FileName)) ? DenseIndex.FileName : SegmentFormat.FileName);
            Replace(path, JsonSerializer.SerializeToUtf8Bytes((manifest with { SegmentByteCount = ByteCount(segment), SegmentChecksum = HeaderHash(segment) }).WithChecksum(), ManifestJsonContext.Default.IndexManifest));
        }
    }

    private static void RewriteGeneration(string root, string path)
    {
        if (TryParse(path, GenerationJsonContext.Default.GenerationManifest) is { Segments: { } segments } manifest && !Array.Exists(segments, segment => segment is null))
        {
            GenerationSegment[] rewritten = Array.ConvertAll(segments, segment => Rewrite(root, segment));
            Replace(path, JsonSerializer.SerializeToUtf8Bytes((manifest with { Segments = rewritten }).WithChecksum(), GenerationJsonContext.Default.GenerationManifest));
        }
    }

    private static GenerationSegment Rewrite(string root, GenerationSegment segment)
    {
        string directory = Segment.Directory(root, segment.Directory);
        string vectors = Path.Combine(directory, File.Exists(Path.Combine(directory, DenseIndex.FileName)) ? DenseIndex.FileName : SegmentFormat.FileName);
        return segment with
        {
            Checksum = HeaderHash(vectors),
            PayloadChecksum = HeaderHash(Path.Combine(directory, DocumentStore.FileName)),
            FieldsChecksum = HeaderHash(Path.Combine(directory, FieldColumns.FileName)),
            DeletedChecksum = segment.DeletedFile.Length == 0 ? "" : HeaderHash(Path.Combine(root, segment.DeletedFile)),
        };
    }

    private static T? TryParse<T>(string path, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), type);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static long ByteCount(string path) => File.Exists(path) ? new FileInfo(path).Length : 0;

    private static string HeaderHash(string path)
    {
        if (ByteCount(path) < SectionFile.HeaderByteCount)
        {
            return "";
        }

        using FileStream file = File.OpenRead(path);
        file.Position = SectionFile.HeaderHashOffset;
        Span<byte> hash = stackalloc byte[sizeof(ulong)];
        file.ReadExactly(hash);
        return IndexManifest.Hex(BinaryPrimitives.ReadUInt64LittleEndian(hash));
    }
}
