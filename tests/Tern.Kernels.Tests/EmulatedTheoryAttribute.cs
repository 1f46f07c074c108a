using Xunit;

namespace Tern.Kernels.Tests;

/// <summary>A theory that runs kernels on the CPU; skipped, with the reason, where they are not built.</summary>
internal sealed class EmulatedTheoryAttribute : TheoryAttribute
{
    public EmulatedTheoryAttribute() => Skip = EmulatedKernels.WhyNot;
}

/// <summary>A fact that runs kernels on the CPU; skipped, with the reason, where they are not built.</summary>
internal sealed class EmulatedFactAttribute : FactAttribute
{
    public EmulatedFactAttribute() => Skip = EmulatedKernels.WhyNot;
}
