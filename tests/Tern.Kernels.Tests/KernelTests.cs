using Xunit;

namespace Tern.Kernels.Tests;

/// <summary>Every kernel on the CPU against its oracle, in several orders of the threads.</summary>
[Collection("built kernels")]
public sealed class KernelTests
{
    private static readonly Lazy<EmulatedKernels> Built = new(() => new EmulatedKernels(EmulatedKernels.BuiltPath));

    public static TheoryData<string> Checks => [.. KernelChecks.All.Keys];

    [EmulatedTheory]
    [MemberData(nameof(Checks))]
    public void AgreesWithItsOracleWithTheSameBitsOnEverySchedule(string check)
    {
        int[]? digests = null;
        foreach (uint seed in new uint[] { 0, 1, 2 })
        {
            Built.Value.Seed = seed;
            Built.Value.Digests.Clear();
            KernelChecks.All[check](Built.Value);
            digests ??= [.. Built.Value.Digests];
            Assert.Equal(digests, Built.Value.Digests);
        }
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
