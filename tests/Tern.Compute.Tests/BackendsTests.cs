using Xunit;

namespace Tern.Compute.Tests;

public sealed class BackendsTests
{
    [Fact]
    public void TheCpuBackendIsAlwaysThere()
    {
        Assert.Contains(Backends.Available, factory => factory.Name == "cpu");
        using IBackend backend = Backends.Create();
        Assert.Equal("cpu", backend.Name);
    }

    [Fact]
    public void AnUnknownNameListsThoseThatAreAvailable()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => Backends.Create("abacus"));
        Assert.Contains("no backend named 'abacus'; available: cpu", error.Message, StringComparison.Ordinal);
    }
}
