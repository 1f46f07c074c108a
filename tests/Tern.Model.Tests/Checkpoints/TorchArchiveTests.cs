using System.IO.Compression;
using Tern.Model.Checkpoints;
using Tern.TestKit;
using Xunit;

namespace Tern.Model.Tests.Checkpoints;

public sealed class TorchArchiveTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TensorsComeBackInNameShapeAndValue(bool plain)
    {
        float[] values = TestValues.Normal(12, 1);
        string path = Save(new TorchFileWriter(plain).Add("a", values, [3, 4]).Add("b", [2.5f], [1]));
        using TorchArchive archive = TorchArchive.Open(path);
        Assert.Equal(["a", "b"], archive.Names.Order());
        Assert.Equal([3, 4], archive.Describe("a").Shape);
        Assert.Equal(values, archive.Read("a"));
        Assert.Equal([2.5f], archive.Read("b"));
    }

    [Fact]
    public void StridesAndOffsetsAreFollowed()
    {
        // [3, 2] of a storage of eight: the transpose of the last six elements as [2, 3].
        byte[] bytes = new byte[32];
        Buffer.BlockCopy(new float[] { 0, 1, 2, 3, 4, 5, 6, 7 }, 0, bytes, 0, 32);
        using TorchArchive archive = TorchArchive.Open(Save(new TorchFileWriter().Add("t", "FloatStorage", bytes, 8, 2, [3, 2], [1, 3])));
        Assert.Equal([2, 5, 3, 6, 4, 7], archive.Read("t"));
    }

    [Fact]
    public void HalvesAreWidened()
    {
        byte[] bf16 = [0x80, 0x3F, 0x00, 0xC0], half = [0x00, 0x3C, 0x00, 0xC0];
        using TorchArchive archive = TorchArchive.Open(Save(new TorchFileWriter().Add("b", "BFloat16Storage", bf16, 2, 0, [2], [1]).Add("h", "HalfStorage", half, 2, 0, [2], [1])));
        Assert.Equal([1f, -2f], archive.Read("b"));
        Assert.Equal([1f, -2f], archive.Read("h"));
    }

    [Theory]
    [InlineData("os", "system", "os.system")]
    [InlineData("builtins", "eval", "builtins.eval")]
    [InlineData("torch.storage", "_load_from_bytes", "torch.storage._load_from_bytes")]
    public void WhatIsNotATensorIsRefusedByName(string module, string function, string named)
    {
        string path = Save(new TorchFileWriter().AddCall("x", module, function, "touch /tmp/should-not-exist"));
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => TorchArchive.Open(path));
        Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
        Assert.Contains(named, e.Message, StringComparison.Ordinal);
        Assert.Contains("offset", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(8, 0, 3, 4)] // a storage of other size than its entry
    [InlineData(6, 1, 2, 3)] // an offset too far
    [InlineData(6, -1, 2, 3)]
    [InlineData(6, 0, -2, 3)]
    [InlineData(6, 0, 1L << 40, 3)]
    public void ATensorOutsideItsStorageIsRefused(long count, long offset, long rows, long columns)
    {
        string path = Save(new TorchFileWriter().Add("x", "FloatStorage", new byte[24], count, offset, [rows, columns], [columns, 1]));
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => TorchArchive.Open(path));
        Assert.Contains("'x'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatTorchDoesNotWriteIsRefused()
    {
        string compressed = Save(new TorchFileWriter().Add("x", new float[500], [500]), CompressionLevel.Optimal);
        Assert.Contains("compressed", Assert.Throws<InvalidDataException>(() => TorchArchive.Open(compressed)).Message, StringComparison.Ordinal);
        string text = Path.Combine(_directory.Path, "text.bin");
        File.WriteAllText(text, "not a zip");
        Assert.Contains("not a zip", Assert.Throws<InvalidDataException>(() => TorchArchive.Open(text)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DamageIsAnErrorOrACorrectLoad()
    {
        byte[] whole = File.ReadAllBytes(Save(new TorchFileWriter().Add("layer.a", TestValues.Normal(6, 1), [2, 3]).Add("layer.b", TestValues.Normal(4, 2), [4, 1])));
        Random random = new(7);
        string path = Path.Combine(_directory.Path, "mutated.bin");
        int loaded = 0;
        for (int round = 0; round < 2000; round++)
        {
            byte[] bytes = (byte[])whole.Clone();
            for (int flips = random.Next(1, 4); flips > 0; flips--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            File.WriteAllBytes(path, round % 5 == 0 ? bytes[..random.Next(bytes.Length)] : bytes);
            try
            {
                using TorchArchive archive = TorchArchive.Open(path);
                foreach (string name in archive.Names)
                {
                    archive.Read(name);
                }

                loaded++;
            }
            catch (InvalidDataException e)
            {
                Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
            }
        }

        Assert.InRange(loaded, 1, 1999);
    }

    private string Save(TorchFileWriter writer, CompressionLevel compression = CompressionLevel.NoCompression)
    {
        string path = Path.Combine(_directory.Path, $"{Guid.NewGuid():N}.bin");
        writer.Save(path, compression);
        return path;
    }
}
