using Tern.Compute.Cpu;

namespace Tern.Compute;

/// <summary>
/// The widths for which the CPU's kernels are compiled, best first; product, tests and benches enumerate them. The
/// environment variable <c>TERN_SIMD</c> forces one by name. Matrix products give the same bits on every path.
/// </summary>
public static class SimdPaths
{
    /// <summary>The environment variable that forces a path.</summary>
    public const string EnvironmentVariable = "TERN_SIMD";

    private static readonly Lazy<SimdPath> Chosen = new(() => Choose(Environment.GetEnvironmentVariable(EnvironmentVariable)));

    /// <summary>Every path, best first. One that is not hardware accelerated gives right results slowly.</summary>
    public static IReadOnlyList<SimdPath> All { get; } =
    [
        new("vector512", 64, FloatVector512.IsHardwareAccelerated, new VectorKernels<FloatVector512>(), new ElementKernels<FloatVector512>()),
        new("vector256", 32, FloatVector256.IsHardwareAccelerated, new VectorKernels<FloatVector256>(), new ElementKernels<FloatVector256>()),
        new("vector128", 16, FloatVector128.IsHardwareAccelerated, new VectorKernels<FloatVector128>(), new ElementKernels<FloatVector128>()),
    ];

    /// <summary>The paths that this machine accelerates, best first; the narrowest is always among them.</summary>
    public static IReadOnlyList<SimdPath> Available { get; } = [.. All.Where(p => p.IsHardwareAccelerated || p.VectorByteCount == 16)];

    /// <summary>The path that kernels use, decided at the first use.</summary>
    /// <exception cref="ArgumentException">TERN_SIMD names no available path.</exception>
    public static SimdPath Current => Chosen.Value;

    internal static SimdPath Choose(string? name)
    {
        if (string.IsNullOrEmpty(name))
        {
            return Available[0];
        }

        return Available.FirstOrDefault(p => p.Name == name)
            ?? throw new ArgumentException($"{EnvironmentVariable}={name}: this machine has {string.Join(", ", Available.Select(p => p.Name))}");
    }
}

/// <summary>One vector width and its kernels.</summary>
public sealed class SimdPath
{
    internal SimdPath(string name, int vectorByteCount, bool isHardwareAccelerated, VectorKernels kernels, ElementKernels elements)
    {
        Name = name;
        VectorByteCount = vectorByteCount;
        IsHardwareAccelerated = isHardwareAccelerated;
        Kernels = kernels;
        Elements = elements;
    }

    /// <summary>The name it is forced by, such as <c>vector256</c>.</summary>
    public string Name { get; }

    /// <summary>Bytes of one vector.</summary>
    public int VectorByteCount { get; }

    public bool IsHardwareAccelerated { get; }

    internal VectorKernels Kernels { get; }

    internal ElementKernels Elements { get; }

    public override string ToString() => Name;
}
