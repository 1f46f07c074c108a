using Tern.Compute;
using Tern.Model.Checkpoints;
using Xunit;

namespace Tern.Model.Tests.Checkpoints;

public sealed class CheckpointFuzzTests
{
    /// <summary>A few of what tern model fuzz does by the ten thousand.</summary>
    [Fact]
    public void DamagedFilesAreRefusedClearlyOrLoadWhole()
    {
        using var directory = new TemporaryDirectory();
        using IBackend backend = Backends.Create("cpu", 1);
        using var fuzz = new CheckpointFuzz(backend, directory.Path);
        FuzzResult result = fuzz.Run(seed: 7, first: 0, count: 400);
        Assert.Equal([], result.Failures);
        Assert.Equal(400, result.LoadedCount + result.RefusedCount);
        Assert.InRange(result.RefusedCount, 100, 399);
        Assert.InRange(result.LoadedCount, 10, 300);
        FuzzResult again = fuzz.Run(seed: 7, first: 0, count: 40);
        Assert.Equal(fuzz.Run(seed: 7, first: 0, count: 40).RefusedCount, again.RefusedCount);
    }
}
