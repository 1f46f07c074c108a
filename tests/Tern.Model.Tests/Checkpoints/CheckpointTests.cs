using Tern.Model.Checkpoints;
using Xunit;

namespace Tern.Model.Tests.Checkpoints;

public sealed class CheckpointTests
{
    [Fact]
    public void ShardsAreFoundThroughTheIndex()
    {
        using var directory = new TemporaryDirectory();
        WriteShards(directory);

        using Checkpoint checkpoint = Checkpoint.Open(directory.Path);

        Assert.Equal(["a", "b"], checkpoint.Names.Order(StringComparer.Ordinal));
        Assert.EndsWith("two.safetensors", checkpoint.Find("b").File.Path, StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingShardIsNamed()
    {
        using var directory = new TemporaryDirectory();
        WriteShards(directory);
        File.Delete(directory.File("two.safetensors"));

        FileNotFoundException e = Assert.Throws<FileNotFoundException>(() => Checkpoint.Open(directory.Path));

        Assert.Contains(directory.File("two.safetensors"), e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"weight_map": {"a": "one.safetensors", "b": "one.safetensors"}}""", "'b'")]
    [InlineData("""{"weight_map": {"a": "../one.safetensors"}}""", "../one.safetensors")]
    [InlineData("""{"weights": {}}""", "index")]
    [InlineData("""{""", "index")]
    public void AnIndexThatDoesNotFitIsRefused(string index, string named)
    {
        using var directory = new TemporaryDirectory();
        WriteShards(directory);
        File.WriteAllText(directory.File(Checkpoint.IndexFileName), index);

        InvalidDataException e = Assert.Throws<InvalidDataException>(() => Checkpoint.Open(directory.Path));

        Assert.Contains(Checkpoint.IndexFileName, e.Message, StringComparison.Ordinal);
        Assert.Contains(named, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ADirectoryWithoutCheckpointSaysWhatIsMissing()
    {
        using var directory = new TemporaryDirectory();

        Assert.Contains(Checkpoint.FileName, Assert.Throws<FileNotFoundException>(() => Checkpoint.Open(directory.Path)).Message, StringComparison.Ordinal);
        Assert.Throws<DirectoryNotFoundException>(() => Checkpoint.Open(directory.File("absent")));
    }

    [Fact]
    public void AnUnknownNameIsRefusedByName()
    {
        using var directory = new TemporaryDirectory();
        WriteShards(directory);
        using Checkpoint checkpoint = Checkpoint.Open(directory.Path);

        Assert.Contains("'c'", Assert.Throws<InvalidDataException>(() => checkpoint.Find("c")).Message, StringComparison.Ordinal);
    }

    private static void WriteShards(TemporaryDirectory directory)
    {
        SafetensorsWriter.Write(directory.File("one.safetensors"), [new("a", "F32", [1], s => s.Write([0, 0, 128, 63]))]);
        SafetensorsWriter.Write(directory.File("two.safetensors"), [new("b", "F32", [1], s => s.Write([0, 0, 0, 64]))]);
        File.WriteAllText(directory.File(Checkpoint.IndexFileName), """{"metadata": {"total_size": 8}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}""");
    }
}
