using Tern.TestKit;
using Xunit;

namespace Tern.Compute.Tests;

/// <summary>What holds for every operation of a backend.</summary>
public sealed class OperationTests
{
    private static readonly string[] NotComputing = [nameof(IBackend.Allocate), nameof(IBackend.Upload), nameof(IBackend.Download), nameof(IBackend.Prepare)];

    public static TheoryData<string, string> Cases()
    {
        TheoryData<string, string> cases = [];
        foreach (BackendFactory factory in Backends.Available)
        {
            foreach (string operation in OperationCases.All.Keys)
            {
                cases.Add(factory.Name, operation);
            }
        }

        return cases;
    }

    [Fact]
    public void EveryOperationHasACase()
    {
        IEnumerable<string> operations = typeof(IBackend).GetMethods().Where(method => !method.IsSpecialName).Select(method => method.Name).Except(NotComputing);
        Assert.Equal(operations.Order(StringComparer.Ordinal), OperationCases.All.Keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ResultsAreTheSameBitsForAnyThreadCount(string backend, string operation)
    {
        long[]? expected = null;
        foreach (int threads in new[] { 1, 2, 5 })
        {
            using TestTensors tensors = TestTensors.On(backend, threads);
            OperationCall call = OperationCases.All[operation](tensors);
            call.Run();
            expected ??= call.Bits();
            Assert.Equal(expected, call.Bits());
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void SteadyCallsAllocateNothing(string backend, string operation)
    {
        // One thread, so that the tasks too run on the thread whose allocations are counted.
        using TestTensors tensors = TestTensors.On(backend, 1);
        OperationCall call = OperationCases.All[operation](tensors);
        call.Run();
        Assert.Equal(0, Allocations.Fewest(call.Run));
    }
}
