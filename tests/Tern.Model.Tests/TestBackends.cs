using Tern.Compute;
using Xunit;

namespace Tern.Model.Tests;

/// <summary>Theory data: every backend that can run here.</summary>
public static class TestBackends
{
    public static TheoryData<string> All => [.. Backends.Available.Select(b => b.Name)];
}
