using Xunit;

namespace Tern.Tests;

public sealed class PendingDirectoryTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public void ACompletedDirectoryTakesItsPlace()
    {
        using (var pending = new PendingDirectory(_directory["out"], "marker"))
        {
            File.WriteAllText(Path.Combine(pending.Path, "marker"), "1");
            Assert.False(Directory.Exists(_directory["out"]));
            pending.Complete();
        }

        Assert.Equal([_directory["out"]], Directory.EnumerateFileSystemEntries(_directory.Path));
        Assert.Equal("1", File.ReadAllText(Path.Combine(_directory["out"], "marker")));
    }

    [Fact]
    public void AnAbandonedDirectoryLeavesNothing()
    {
        using (var pending = new PendingDirectory(_directory["out"], "marker"))
        {
            File.WriteAllText(Path.Combine(pending.Path, "half"), "1");
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory.Path));
    }

    [Fact]
    public void AnEarlierProductIsReplacedWhole()
    {
        Directory.CreateDirectory(_directory["out"]);
        File.WriteAllText(Path.Combine(_directory["out"], "marker"), "1");
        File.WriteAllText(Path.Combine(_directory["out"], "stale"), "1");
        using (var pending = new PendingDirectory(_directory["out"] + Path.DirectorySeparatorChar, "marker"))
        {
            File.WriteAllText(Path.Combine(pending.Path, "marker"), "2");
            pending.Complete();
        }

        Assert.Equal([_directory["out"]], Directory.EnumerateFileSystemEntries(_directory.Path));
        Assert.Equal("2", File.ReadAllText(Path.Combine(_directory["out"], "marker")));
        Assert.False(File.Exists(Path.Combine(_directory["out"], "stale")));
    }

    [Fact]
    public void OtherFilesAreNeverReplaced()
    {
        Directory.CreateDirectory(_directory["out"]);
        File.WriteAllText(Path.Combine(_directory["out"], "letter"), "1");
        Assert.Contains("other files", Assert.Throws<IOException>(() => new PendingDirectory(_directory["out"], "marker")).Message, StringComparison.Ordinal);
        Assert.Contains("a file is in the way", Assert.Throws<IOException>(() => new PendingDirectory(Path.Combine(_directory["out"], "letter"), "marker")).Message, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(_directory["out"], "letter")));
    }

    public void Dispose() => _directory.Dispose();
}
