using Tern.Compute;
using Xunit;

namespace Tern.TestKit;

/// <summary>
/// Every available backend, for theories over (backend, threads): the CPU with one, two and three threads, an emulated device
/// in one order of its threads, as it is slow and other tests vary the order.
/// </summary>
public sealed class BackendCases : TheoryData<string, int>
{
    public BackendCases()
    {
        foreach (BackendFactory factory in Backends.Available)
        {
            Add(factory.Name, 2);
            if (factory.Kind == "cpu")
            {
                Add(factory.Name, 1);
                Add(factory.Name, 3);
            }
        }
    }
}
