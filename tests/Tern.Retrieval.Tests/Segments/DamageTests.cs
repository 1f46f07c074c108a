using Tern.Retrieval.Files;
using Xunit;

namespace Tern.Retrieval.Tests.Segments;

/// <summary>A bit flipped in every section of every file, and every file cut at every section: it is said where.</summary>
public class DamageTests
{
    [Theory]
    [MemberData(nameof(SegmentedIndexTests.Kinds), MemberType = typeof(SegmentedIndexTests))]
    public void EveryFlipAndEveryCutIsNamed(string kind)
    {
        using var directory = new TemporaryDirectory();
        Build(directory.Path, SegmentedIndexTests.Settings(kind));
        Assert.Empty(IndexVerification.Run(directory.Path).Damages);
        int cases = 0;
        foreach (string path in Directory.EnumerateFiles(directory.Path, "*.*", SearchOption.AllDirectories).Where(path => Path.GetFileName(path) != "writer.lock").ToArray())
        {
            byte[] whole = File.ReadAllBytes(path);
            List<long> starts = Starts(path, whole.Length);
            foreach (long at in starts.SelectMany(start => new[] { start, start + 9 }).Where(at => at < whole.Length && !(path.EndsWith(".json", StringComparison.Ordinal) && char.IsWhiteSpace((char)whole[at]))))
            {
                byte[] flipped = [.. whole];
                flipped[at] ^= 1;
                RequireDamage(directory.Path, path, flipped, at);
                cases++;
            }

            foreach (long at in starts)
            {
                RequireDamage(directory.Path, path, whole[..(int)at], null);
                cases++;
            }

            Write(path, whole);
        }

        Assert.InRange(cases, 100, int.MaxValue);
        SegmentedIndex.Open(directory.Path).Dispose();
    }

    [Fact]
    public void AllDamagesOfAFileAreListed()
    {
        using var directory = new TemporaryDirectory();
        Build(directory.Path, ChangedDocuments.Sparse());
        string path = Directory.GetFiles(directory.Path, "segment.tern", SearchOption.AllDirectories)[0];
        byte[] bytes = File.ReadAllBytes(path);
        long[] places = [.. ((string[])["postings", "forward", "idbytes"]).Select(section => Place(path, section))];
        Array.ForEach(places, at => bytes[at] ^= 1);
        Write(path, bytes);
        Assert.Equal(places.Order(), IndexVerification.Run(directory.Path).Damages.Select(damage => damage.Offset).Order());
        Assert.All(IndexVerification.Run(directory.Path).Damages, damage => Assert.Equal(path, damage.Path));
    }

    [Fact]
    public void ALogThatEndsInAnUnfinishedCommitIsWhole()
    {
        using var directory = new TemporaryDirectory();
        ChangedDocuments documents = Build(directory.Path, ChangedDocuments.Sparse());
        string log = Directory.GetFiles(directory.Path, "log-*")[0];
        byte[] whole = File.ReadAllBytes(log);
        Write(log, [.. whole, .. whole[LogFormat.RecordsOffset..(LogFormat.RecordsOffset + 40)]]);
        Assert.Empty(IndexVerification.Run(directory.Path).Damages);
        using (var index = SegmentedIndex.Open(directory.Path))
        {
            documents.RequireEqual(index, 4);
        }

        SegmentedIndexWriter.Open(directory.Path).Dispose();
        Assert.Equal(whole, File.ReadAllBytes(log));
    }

    [Fact]
    public void ALogWithoutItsLastCommitsIsDamaged()
    {
        using var directory = new TemporaryDirectory();
        Build(directory.Path, ChangedDocuments.Sparse());
        string log = Directory.GetFiles(directory.Path, "log-*")[0];
        byte[] whole = File.ReadAllBytes(log);
        Write(log, whole[..LogFormat.RecordsOffset]);
        Assert.Contains($"{log}: section 'records' at offset {LogFormat.RecordsOffset}: the log was cut", Assert.Throws<InvalidDataException>(() => SegmentedIndex.Open(directory.Path)).Message, StringComparison.Ordinal);
    }

    /// <summary>A built segment, one with deleted documents, and a log of two commits.</summary>
    private static ChangedDocuments Build(string directory, IndexSettings settings)
    {
        var documents = new ChangedDocuments(settings, seed: 31);
        using var writer = SegmentedIndexWriter.Create(directory, settings, new SegmentedIndexWriterOptions { BackgroundMerge = false });
        for (int commit = 1; commit <= 4; commit++)
        {
            documents.Change(writer, 20);
            writer.Commit();
            if (commit <= 2)
            {
                writer.Flush();
            }
        }

        return documents;
    }

    private static void RequireDamage(string directory, string path, byte[] bytes, long? at)
    {
        Write(path, bytes);
        string what = $"{path} {(at is null ? $"cut at {bytes.Length}" : $"flipped at {at}")}";
        try
        {
            SegmentedIndex.Open(directory).Dispose();
            Assert.Fail($"{what}: opened");
        }
        catch (InvalidDataException e)
        {
            Assert.True(e.Message.Contains(Path.GetDirectoryName(path)!, StringComparison.Ordinal), $"{what}: {e.Message}");
        }

        IReadOnlyList<IndexDamage> damages = IndexVerification.Run(directory).Damages;
        Assert.True(damages.Any(damage => damage.Path == path && (damage.Section == "manifest" || damage.Offset <= (at ?? bytes.Length))), $"{what}: {string.Join("; ", damages)}");
    }

    /// <summary>Where the parts of a file begin; its own end is no cut.</summary>
    private static List<long> Starts(string path, long length)
    {
        string name = Path.GetFileName(path);
        if (name.EndsWith(".json", StringComparison.Ordinal))
        {
            return [0, length / 3, length / 2];
        }

        if (name.StartsWith("log-", StringComparison.Ordinal))
        {
            return [0, LogFormat.SectorByteCount, 2 * LogFormat.SectorByteCount, LogFormat.RecordsOffset, LogFormat.RecordsOffset + 24, length - 12];
        }

        ulong magic = name switch
        {
            "segment.tern" => SegmentFormat.Magic,
            "dense.tern" => DenseIndex.Magic,
            "documents.tern" => DocumentStore.Magic,
            "fields.tern" => FieldColumns.Magic,
            _ => DeletedDocuments.Magic,
        };
        using SectionFile file = SectionFile.Open(path, magic);
        return [0, .. file.SectionNames.Select(section => file.Place(section)).Where(place => place.Length > 9).Select(place => place.Offset)];
    }

    private static long Place(string path, string section)
    {
        using SectionFile file = SectionFile.Open(path, SegmentFormat.Magic);
        return file.Place(section).Offset;
    }

    private static void Write(string path, byte[] bytes)
    {
        File.Delete(path);
        File.WriteAllBytes(path, bytes);
    }
}
