using System.Buffers.Binary;
using System.Text;
using Tern.Model.Checkpoints;
using Xunit;

namespace Tern.Model.Tests.Checkpoints;

public sealed class SafetensorsFileTests
{
    private static readonly byte[] Golden = File.ReadAllBytes(Path.Combine(GoldenLlama.Directory, "model.safetensors"));

    private static int HeaderByteCount => (int)BinaryPrimitives.ReadInt64LittleEndian(Golden);

    [Fact]
    public unsafe void WrittenTensorsReadBack()
    {
        using var directory = new TemporaryDirectory();
        string path = directory.File("a.safetensors");
        byte[] first = [1, 2, 3, 4, 5, 6, 7, 8];
        byte[] second = [9, 10];

        SafetensorsWriter.Write(path, [new("first", "F32", [1, 2], s => s.Write(first)), new("none", "F32", [0, 4], _ => { }), new("second", "BF16", [1], s => s.Write(second))]);

        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal(["first", "none", "second"], file.Entries.Keys.Order(StringComparer.Ordinal));
        Assert.Equal([1L, 2L], file.Entries["first"].Shape);
        Assert.Equal(first, new ReadOnlySpan<byte>((void*)file.Address(file.Entries["first"]), 8).ToArray());
        Assert.Equal(second, new ReadOnlySpan<byte>((void*)file.Address(file.Entries["second"]), 2).ToArray());
        Assert.Equal(0, file.Address(file.Entries["first"]) % 64);
    }

    [Fact]
    public void AFailedWriteLeavesNothing()
    {
        using var directory = new TemporaryDirectory();

        Assert.Throws<InvalidOperationException>(() => SafetensorsWriter.Write(directory.File("a.safetensors"), [new("short", "F32", [2], s => s.WriteByte(1))]));

        Assert.Empty(Directory.GetFiles(directory.Path));
    }

    public static TheoryData<int> CutPoints => [0, 1, 7, 8, 9, 8 + (HeaderByteCount / 2), 7 + HeaderByteCount, 8 + HeaderByteCount, 9 + HeaderByteCount, Golden.Length / 2, Golden.Length - 1];

    [Theory]
    [MemberData(nameof(CutPoints))]
    public void ATruncatedFileIsRefusedByPathAndOffset(int length)
    {
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => Open(Golden[..length], out string path).Dispose());

        Assert.Contains("a.safetensors: ", e.Message, StringComparison.Ordinal);
        Assert.Contains("copy or download", e.Message, StringComparison.Ordinal);
        if (length >= 8)
        {
            Assert.Contains(FormattableString.Invariant($"offset {length}:"), e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void BytesBehindTheLastTensorAreRefused()
    {
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => Open([.. Golden, 0], out _).Dispose());

        Assert.Contains(FormattableString.Invariant($"offset {Golden.Length}: 1 bytes"), e.Message, StringComparison.Ordinal);
    }

    /// <summary>Any one flipped bit of the header is noticed, or changes a tensor's name or shape, which loading compares.</summary>
    [Fact]
    public void AFlippedHeaderIsRefusedOrChangesANameOrAShape()
    {
        using var directory = new TemporaryDirectory();
        string path = directory.File("a.safetensors");
        byte[] bytes = [.. Golden];
        Dictionary<string, string> intact = Describe(path, bytes);
        int refused = 0;
        for (int i = 0; i < 8 + HeaderByteCount; i++)
        {
            byte original = bytes[i];
            bytes[i] ^= 1;
            try
            {
                Assert.True(!Same(intact, Describe(path, bytes)) || (char)original is ' ', $"byte {i} ('{(char)original}') can be flipped without notice");
            }
            catch (InvalidDataException)
            {
                refused++;
            }

            bytes[i] = original;
        }

        Assert.InRange(refused, HeaderByteCount / 4, HeaderByteCount + 8);

        static bool Same(Dictionary<string, string> a, Dictionary<string, string> b) => a.Count == b.Count && a.All(p => b.TryGetValue(p.Key, out string? value) && value == p.Value);
    }

    [Theory]
    [InlineData("""{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}""", 4, "overlaps")]
    [InlineData("""{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}""", 8, "does not follow")]
    [InlineData("""{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}""", 4, "not its size")]
    [InlineData("""{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}""", 4, "not its size")]
    [InlineData("""{"a": {"dtype": "F32", "shape": [4611686018427387904, 4611686018427387904, 0], "data_offsets": [0, 0]}}""", 0, "not its size")]
    [InlineData("""{"a": {"dtype": "F33", "shape": [1], "data_offsets": [0, 4]}}""", 4, "unknown element type 'F33'")]
    [InlineData("""{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}""", 8, "listed twice")]
    [InlineData("""{"a": {"shape": [1], "data_offsets": [0, 4]}}""", 4, "header")]
    [InlineData("""{"a": 5}""", 0, "header")]
    [InlineData("[]", 0, "header")]
    public void ImpossibleHeadersAreRefused(string header, int dataByteCount, string named)
    {
        byte[] bytes = new byte[8 + header.Length + dataByteCount];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, header.Length);
        Encoding.UTF8.GetBytes(header, bytes.AsSpan(8));

        InvalidDataException e = Assert.Throws<InvalidDataException>(() => Open(bytes, out _).Dispose());

        Assert.Contains("a.safetensors: ", e.Message, StringComparison.Ordinal);
        Assert.Contains(named, e.Message, StringComparison.Ordinal);
    }

    private static SafetensorsFile Open(byte[] bytes, out string path)
    {
        using var directory = new TemporaryDirectory();
        path = directory.File("a.safetensors");
        File.WriteAllBytes(path, bytes);
        return SafetensorsFile.Open(path);
    }

    private static Dictionary<string, string> Describe(string path, byte[] bytes)
    {
        File.WriteAllBytes(path, bytes);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        return file.Entries.Values.ToDictionary(e => e.Name, e => $"{e.DType} {e.ShapeText} {e.Offset}");
    }
}
