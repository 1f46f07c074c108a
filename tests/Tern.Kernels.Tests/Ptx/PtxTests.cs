using System.Text.RegularExpressions;
using Tern.TestKit;
using Xunit;

namespace Tern.Kernels.Tests.Ptx;

/// <summary>What clang made of the kernels: entries as the table declares them, and nothing that spills.</summary>
public sealed partial class PtxTests
{
    private static readonly string Portable = Repository.PathOf("artifacts", "native", "kernels", "sm_80");
    private static readonly string Hopper = Repository.PathOf("artifacts", "native", "hopper");

    [CompiledFact]
    public void EveryKernelIsAnEntryWithItsParametersAndThreads() => CompareWith(KernelTable.Portable.Values, Portable);

    [CompiledFact]
    public void EveryKernelOfHopperIsAnEntryWithItsParametersAndThreads() => CompareWith(KernelTable.Hopper.Values, Hopper);

    [CompiledFact]
    public void ProductsOfTheFusedHeadAreThoseOfWarpgroups() =>
        Assert.All(Sources(Hopper), text => Assert.Contains("wgmma.mma_async.sync.aligned.m64n96k16", text, StringComparison.Ordinal));

    private static void CompareWith(IEnumerable<KernelDeclaration> table, string folder)
    {
        string[] entries = [.. Sources(folder).SelectMany(text => Entry().Matches(text)).Select(m => $"{m.Groups[1].Value} | {m.Groups[3].Value} | {string.Join(",", Parameter().Matches(m.Groups[2].Value).Select(p => p.Groups[1].Value))}").Order(StringComparer.Ordinal)];
        string[] declared = [.. table.Select(k => $"{k.Name} | {k.Threads} | {string.Join(",", k.Parameters.Select(p => p.IsPointer ? "u64" : p.Type == "tensor_map" ? "align" : p.Type.Replace('i', 'u')))}").Order(StringComparer.Ordinal)];
        Assert.Equal(declared, entries);
    }

    [CompiledFact]
    public void NothingIsKeptInLocalMemory() =>
        Assert.All(Sources(Portable).Concat(Sources(Hopper)), text => Assert.DoesNotContain(".local", text, StringComparison.Ordinal));

    [CompiledFact]
    public void LinesOfTheSourceAreNamed() =>
        Assert.All(Sources(Portable).Concat(Sources(Hopper)), text => Assert.Contains(".loc", text, StringComparison.Ordinal));

    private static IEnumerable<string> Sources(string folder) => Directory.GetFiles(folder, "*.ptx").Select(File.ReadAllText);

    [GeneratedRegex(@"\.entry (\w+)\(([^)]*)\)\s*\.maxntid (\d+)")]
    private static partial Regex Entry();

    [GeneratedRegex(@"\.param \.(\w+)")]
    private static partial Regex Parameter();

    /// <summary>Skipped, with the reason, where the kernels are not compiled.</summary>
    private sealed class CompiledFactAttribute : FactAttribute
    {
        public CompiledFactAttribute() => Skip = Directory.Exists(Hopper) && Directory.GetFiles(Hopper, "*.ptx").Length > 0
            ? null
            : "the CUDA kernels are not compiled: './build.sh native' with clang 22 does (Debian: apt-get install clang-22)";
    }
}
