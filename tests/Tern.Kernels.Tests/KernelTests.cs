using Xunit;

namespace Tern.Kernels.Tests;

/// <summary>Every kernel on the CPU against its oracle, in several orders of the threads.</summary>
public sealed class KernelTests
{
    private static readonly Lazy<EmulatedKernels> Built = new(() => new EmulatedKernels(EmulatedKernels.BuiltPath));

    public static TheoryData<string, uint> Cases()
    {
        TheoryData<string, uint> cases = [];
        foreach (string check in KernelChecks.All.Keys)
        {
            foreach (uint seed in new uint[] { 0, 1, 2 })
            {
                cases.Add(check, seed);
            }
        }

        return cases;
    }

    [EmulatedTheory]
    [MemberData(nameof(Cases))]
    public void AgreesWithItsOracle(string check, uint seed)
    {
        Built.Value.Seed = seed;
        KernelChecks.All[check](Built.Value);
    }

    [EmulatedFact]
    public void TheTableDeclaresWhatTheSourcesDefine()
    {
        string[] defined = [.. Built.Value.Kernels().Select(k => $"{k.Name} | {k.Threads} | {k.Signature}").Order(StringComparer.Ordinal)];
        string[] declared = [.. KernelTable.All.Values.Select(k => $"{k.Name} | {k.Threads} | {k.Signature}").Order(StringComparer.Ordinal)];
        Assert.Equal(defined, declared);
    }

    [EmulatedFact]
    public void EveryKernelHasACheck()
    {
        using var kernels = new EmulatedKernels(EmulatedKernels.BuiltPath);
        foreach (Action<EmulatedKernels> check in KernelChecks.All.Values)
        {
            check(kernels);
        }

        Assert.Empty(KernelTable.All.Keys.Except(kernels.Launched));
    }
}
