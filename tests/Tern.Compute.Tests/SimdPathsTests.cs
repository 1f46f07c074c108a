using Xunit;

namespace Tern.Compute.Tests;

public class SimdPathsTests
{
    [Fact]
    public void PathsAreOrderedByWidthAndTheNarrowestIsAlwaysThere()
    {
        Assert.Equal(["vector512", "vector256", "vector128"], SimdPaths.All.Select(p => p.Name));
        Assert.Equal("vector128", SimdPaths.Available[^1].Name);
        Assert.All(SimdPaths.Available.SkipLast(1), p => Assert.True(p.IsHardwareAccelerated));
        Assert.Contains(SimdPaths.Current, SimdPaths.Available);
    }

    [Fact]
    public void ANameForcesThatPathAndNoneGivesTheBest()
    {
        Assert.Same(SimdPaths.Available[0], SimdPaths.Choose(null));
        Assert.Same(SimdPaths.Available[0], SimdPaths.Choose(""));
        Assert.All(SimdPaths.Available, p => Assert.Same(p, SimdPaths.Choose(p.Name)));
    }

    [Fact]
    public void AnUnknownNameIsRefusedWithTheNamesThereAre()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => SimdPaths.Choose("avx9"));
        Assert.Contains("TERN_SIMD=avx9", error.Message, StringComparison.Ordinal);
        Assert.Contains("vector128", error.Message, StringComparison.Ordinal);
        foreach (SimdPath path in SimdPaths.All.Except(SimdPaths.Available))
        {
            Assert.Throws<ArgumentException>(() => SimdPaths.Choose(path.Name));
        }
    }
}
