using Tern.Compute;
using Xunit;

namespace Tern.TestKit;

/// <summary>Every available backend with one, two and three threads, for theories over (backend, threads).</summary>
public sealed class BackendCases : TheoryData<string, int>
{
    public BackendCases()
    {
        foreach (BackendFactory factory in Backends.Available)
        {
            Add(factory.Name, 1);
            Add(factory.Name, 2);
            Add(factory.Name, 3);
        }
    }
}
