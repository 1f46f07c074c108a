using System.Reflection;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests;

/// <summary>Every backward operation of the interface agrees with central differences of its forward, taken in double precision.</summary>
public sealed class GradientCheckTests(ITestOutputHelper output)
{
    private static readonly Dictionary<string, MethodInfo> Checks = typeof(GradientCheckTests).Assembly.GetTypes()
        .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
        .Where(method => method.GetCustomAttribute<GradientCheckAttribute>() is not null)
        .ToDictionary(method => method.GetCustomAttribute<GradientCheckAttribute>()!.Operation);

    private static readonly string[] BackwardOperations = typeof(IBackend).GetMethods()
        .Select(method => method.Name)
        .Where(name => name.EndsWith("Backward", StringComparison.Ordinal))
        .ToArray();

    public static TheoryData<string, int, string> Cases()
    {
        TheoryData<string, int, string> cases = [];
        foreach (BackendFactory factory in Backends.Available)
        {
            foreach (string operation in Checks.Keys.Order(StringComparer.Ordinal))
            {
                cases.Add(factory.Name, 2, operation);
                if (factory.Kind == "cpu")
                {
                    cases.Add(factory.Name, 1, operation);
                }
            }
        }

        return cases;
    }

    [Fact]
    public void EveryBackwardOperationHasACheck()
    {
        Assert.NotEmpty(BackwardOperations);
        Assert.Empty(BackwardOperations.Except(Checks.Keys));
        Assert.Empty(Checks.Keys.Except(BackwardOperations));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void BackwardAgreesWithCentralDifferences(string backend, int threads, string operation)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        Checks[operation].CreateDelegate<Action<TestTensors, Action<string>>>()(tensors, output.WriteLine);
    }
}
