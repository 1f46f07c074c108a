using Tern.Retrieval.Files;
using Tern.Retrieval.Fuzzing;
using Xunit;

namespace Tern.Retrieval.Tests.Sparse;

/// <summary>Every section cut short and flipped: the error names the file, the section and the offset.</summary>
public class CorruptionTests
{
    private static readonly string[] Sections =
        ["params", "idstart", "idbytes", "idrank", "idorder", "postings", "maxima", "terms", "forward", "fwdbase", "fwdoff", "fwdrow", "wrdbytes", "wrdstart", "pages"];

    public static TheoryData<string> AllSections() => [.. Sections];

    [Fact]
    public void TheListIsThatOfTheFile()
    {
        using var directory = new TemporaryDirectory();
        string path = Build(directory);
        using SectionFile file = SectionFile.Open(path, SegmentFormat.Magic);
        Assert.Equal(Sections.Order(), file.SectionNames.Order());
    }

    [Theory]
    [MemberData(nameof(AllSections))]
    public void AFlippedBitInASectionIsFound(string section)
    {
        using var directory = new TemporaryDirectory();
        string path = Build(directory);
        (long offset, long length) = Place(path, section);
        foreach (long at in (long[])[offset, offset + (length / 2), offset + length - 1])
        {
            Flip(path, at);
            var error = Assert.Throws<InvalidDataException>(() => SparseIndex.Open(directory.Path).Dispose());
            Assert.StartsWith($"{path}: section '{section}' at offset {offset}: ", error.Message, StringComparison.Ordinal);
            Flip(path, at);
        }

        SparseIndex.Open(directory.Path).Dispose();
    }

    [Theory]
    [MemberData(nameof(AllSections))]
    public void ACutInASectionIsFound(string section)
    {
        using var directory = new TemporaryDirectory();
        string path = Build(directory);
        (long offset, long length) = Place(path, section);
        using (var stream = new FileStream(path, FileMode.Open))
        {
            stream.SetLength(offset + length - 1);
        }

        var error = Assert.Throws<InvalidDataException>(() => SparseIndex.Open(directory.Path, verify: false).Dispose());
        Assert.StartsWith($"{path}: section '{section}' at offset {offset + length - 1}: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutVerifyingTablesAreStillCheckedAndTheBulkIsLeftToVerify()
    {
        using var directory = new TemporaryDirectory();
        string path = Build(directory);
        Flip(path, Place(path, "terms").Offset);
        Assert.Throws<InvalidDataException>(() => SparseIndex.Open(directory.Path, verify: false).Dispose());
        Flip(path, Place(path, "terms").Offset);
        Flip(path, Place(path, "postings").Offset);
        using var index = SparseIndex.Open(directory.Path, verify: false);
        Assert.Throws<InvalidDataException>(index.Verify);
    }

    [Fact]
    public void WithoutVerifyingWhatASearchReadsIsCheckedWhenItIsRead()
    {
        using var directory = new TemporaryDirectory();
        string path = Build(directory);
        foreach ((string section, Action<SparseIndex> use) in (IEnumerable<(string, Action<SparseIndex>)>)
            [
                ("postings", index => index.Search([0], [1f], new Hit[1], new SparseSearchOptions { Algorithm = SearchAlgorithms.ByName("exhaustive") })),
                ("maxima", index => index.Search([0], [1f], new Hit[1], new SparseSearchOptions { Algorithm = SearchAlgorithms.ByName("block-max") })),
                ("forward", index => index.Vector(0)),
                ("fwdoff", index => index.Vector(0)),
                ("idstart", index => index.ExternalId(1049)),
                ("idbytes", index => index.ExternalId(1049)),
                ("idrank", index => index.Search([0], [1f], new Hit[1])),
                ("idorder", index => index.TryFind("d7", out _)),
                ("wrdstart", index => index.Words!.Word(15)),
                ("wrdbytes", index => index.Words!.Word(15)),
            ])
        {
            (long offset, long length) = Place(path, section);
            Flip(path, offset + (length / 2));
            using (var index = SparseIndex.Open(directory.Path, verify: false))
            {
                var error = Assert.Throws<InvalidDataException>(() => use(index));
                Assert.StartsWith($"{path}: section '{section}' at offset {offset}: ", error.Message, StringComparison.Ordinal);
                Assert.Throws<InvalidDataException>(() => use(index));
            }

            Flip(path, offset + (length / 2));
            using var whole = SparseIndex.Open(directory.Path, verify: false);
            use(whole);
        }
    }

    /// <summary>What a checksum cannot tell: right bytes of a program that wrote nonsense.</summary>
    [Theory]
    [InlineData("idrank", 4, 0x7F00_0000)]
    [InlineData("idorder", 8, -2)]
    [InlineData("idstart", 8, 0x7F00_0000)]
    [InlineData("terms", 20, 2101)]
    [InlineData("fwdrow", 0, 30)]
    [InlineData("fwdoff", 4, 0x7F00_0000)]
    [InlineData("postings", 4, 0x7F00_0000)]
    [InlineData("maxima", 0, 0)]
    [InlineData("wrdstart", 8, 0x7F00_0000)]
    public void NonsenseBehindARightChecksumIsRefused(string section, int at, int value)
    {
        using var directory = new TemporaryDirectory();
        string path = Build(directory);
        byte[] bytes = File.ReadAllBytes(path);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan((int)Place(path, section).Offset + at), value);
        ChecksumRewriter.Replace(path, bytes);
        ChecksumRewriter.Rewrite(directory.Path, path);
        var error = Assert.Throws<InvalidDataException>(() =>
        {
            using var index = SparseIndex.Open(directory.Path);
            foreach (SearchAlgorithm algorithm in SearchAlgorithms.All)
            {
                index.Search([0, 1], [1f, 1f], new Hit[1], new SparseSearchOptions { Algorithm = algorithm });
            }

            for (int document = 0; document < 3; document++)
            {
                index.Vector(document);
                index.ExternalId(document);
            }

            index.Words!.Word(0);
            index.Words!.Word(1);
        });
        Assert.NotEmpty(IndexVerification.Run(directory.Path).Damages);
        // Where a document begins is known to be wrong only of its vector.
        Assert.StartsWith($"{path}: section '{(section == "fwdoff" ? "forward" : section)}' at offset ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryByteOfTheHeaderAndOfThePaddingIsGuarded()
    {
        using var directory = new TemporaryDirectory();
        string path = Build(directory);
        (long lastOffset, long lastLength) = Place(path, "pages");
        foreach (long at in Enumerable.Range(0, SectionFile.HeaderByteCount).Select(i => (long)i).Append(lastOffset + lastLength).Append(new FileInfo(path).Length - 1))
        {
            Flip(path, at);
            var error = Assert.Throws<InvalidDataException>(() => SparseIndex.Open(directory.Path).Dispose());
            Assert.StartsWith($"{path}: section '", error.Message, StringComparison.Ordinal);
            Flip(path, at);
        }
    }

    [Fact]
    public void AFileCutInsideItsHeaderEmptyOrExtendedIsFound()
    {
        using var directory = new TemporaryDirectory();
        string path = Build(directory);
        byte[] whole = File.ReadAllBytes(path);
        foreach (byte[] bytes in (byte[][])[[], whole[..100], whole[..SectionFile.HeaderByteCount], [.. whole, 0]])
        {
            File.WriteAllBytes(path, bytes);
            Assert.StartsWith(path, Assert.Throws<InvalidDataException>(() => SparseIndex.Open(directory.Path, verify: false).Dispose()).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void AFlippedManifestIsFoundAtAnyByteThatIsNotLayout()
    {
        using var directory = new TemporaryDirectory();
        Build(directory);
        string path = directory.File("manifest.json");
        byte[] whole = File.ReadAllBytes(path);
        for (int i = 0; i < whole.Length; i++)
        {
            if (!char.IsWhiteSpace((char)whole[i]))
            {
                byte[] bytes = [.. whole];
                bytes[i] ^= 1;
                File.WriteAllBytes(path, bytes);
                Assert.StartsWith(path, Assert.Throws<InvalidDataException>(() => SparseIndex.Open(directory.Path).Dispose()).Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void AMissingDirectoryManifestOrSegmentIsNamed()
    {
        using var directory = new TemporaryDirectory();
        Assert.Contains("does not exist", Assert.Throws<DirectoryNotFoundException>(() => SparseIndex.Open(directory.File("none"))).Message, StringComparison.Ordinal);
        Assert.Contains("not a finished index", Assert.Throws<FileNotFoundException>(() => SparseIndex.Open(directory.Path)).Message, StringComparison.Ordinal);
        File.Delete(Build(directory));
        Assert.Contains("segment.tern is missing", Assert.Throws<FileNotFoundException>(() => SparseIndex.Open(directory.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ASegmentOfAnotherBuildIsRefused()
    {
        using var first = new TemporaryDirectory();
        using var second = new TemporaryDirectory();
        string path = Build(first);
        var builder = new SparseIndexBuilder(second.Path, new SparseIndexOptions { VocabularySize = 30 });
        builder.Add("other", SparseVector.Empty);
        builder.Complete();
        File.Copy(second.File("segment.tern"), path, overwrite: true);
        Assert.Contains("another build", Assert.Throws<InvalidDataException>(() => SparseIndex.Open(first.Path)).Message, StringComparison.Ordinal);
    }

    private static string Build(TemporaryDirectory directory)
    {
        var random = new Random(1);
        var builder = new SparseIndexBuilder(directory.Path, new SparseIndexOptions { VocabularySize = 30, Fingerprint = "model" });
        // Enough documents for a long list, which has block maxima.
        for (int i = 0; i < 2100; i++)
        {
            builder.Add($"d{i}", i < 50 ? RandomVectors.Vector(random, 30, 12) : new SparseVector([0], [1f + (i % 7)]));
        }

        builder.SetWords([.. Enumerable.Range(0, 30).Select(i => $"w{i:00}")]);
        builder.Complete();
        return directory.File("segment.tern");
    }

    private static (long Offset, long Length) Place(string path, string section)
    {
        using SectionFile file = SectionFile.Open(path, SegmentFormat.Magic);
        return file.Place(section);
    }

    private static void Flip(string path, long at)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        stream.Position = at;
        int value = stream.ReadByte();
        stream.Position = at;
        stream.WriteByte((byte)(value ^ 0x10));
    }
}
