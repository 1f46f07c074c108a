using Tern.Compute;
using Tern.TestKit;
using Xunit;

namespace Tern.Kernels.Tests;

/// <summary>Launches that a driver would refuse, or worse, would not: each is one line that names the kernel and the place.</summary>
[Collection("built kernels")]
public sealed class EmulatorTests
{
    [EmulatedTheory]
    [InlineData("0", "shared 'queries' ends at byte 8192 of the 0 that the launch asked for")]
    [InlineData("16384", "shared 'keys' ends at byte 24576 of the 16384")]
    [InlineData("300000", "a block has 232448")]
    public void SharedMemoryOfTheWrongSize(string sharedBytes, string expected) =>
        Assert.Contains(expected, Refusal(KernelTable.All["tern_attention_forward_64_bf16"] with { SharedBytes = sharedBytes }), StringComparison.Ordinal);

    [EmulatedFact]
    public void AnotherBlockThanTheKernelWasCompiledFor() =>
        Assert.Contains("the kernel's launch bounds say 128", Refusal(KernelTable.All["tern_attention_forward_64_bf16"] with { Threads = 64 }), StringComparison.Ordinal);

    [EmulatedFact]
    public void AnEmptyGrid() =>
        Assert.Contains("is empty", Refusal(KernelTable.All["tern_attention_forward_64_bf16"] with { Grid = ["0"] }), StringComparison.Ordinal);

    private static string Refusal(KernelDeclaration shape)
    {
        using var kernels = new EmulatedKernels(EmulatedKernels.BuiltPath);
        using HostMatrix rows = new(3, 64, DType.BFloat16), starts = HostMatrix.Integers(0, 3), totals = new(3, 1), output = new(3, 64, DType.BFloat16);
        return Assert.Throws<KernelFailedException>(() => kernels.Launch(shape, rows, 64, rows, 64, rows, 64, starts, 1, 3, 1, 1, 1f, 0, 64, totals, output)).Message;
    }
}
