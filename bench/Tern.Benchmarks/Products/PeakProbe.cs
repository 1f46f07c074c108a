using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Compute.Cpu;
using Tern.Compute.Threading;

namespace Tern.Benchmarks.Products;

/// <summary>A burst of multiply-adds that never leave the registers, long enough to time and short enough to stand between two products.</summary>
internal sealed unsafe class PeakProbe
{
    private const double BurstFlops = 4e8; // 2 ms at 200 GFLOP/s
    private readonly Action _burst;

    private PeakProbe(string name, double roundFlops, Action<int> run)
    {
        Name = name;
        int rounds = (int)(BurstFlops / roundFlops);
        FlopCount = rounds * roundFlops;
        _burst = () => run(rounds);
    }

    public string Name { get; }

    /// <summary>Operations of one burst on one thread.</summary>
    public double FlopCount { get; }

    /// <summary>Chains compiled by .NET.</summary>
    public static PeakProbe Managed(SimdPath path) => path.VectorByteCount switch
    {
        64 => new("fp32, 512 bit", FmaPeak.RoundFlops<FloatVector512>(), FmaPeak.Run<FloatVector512>),
        32 => new("fp32, 256 bit", FmaPeak.RoundFlops<FloatVector256>(), FmaPeak.Run<FloatVector256>),
        _ => new("fp32, 128 bit", FmaPeak.RoundFlops<FloatVector128>(), FmaPeak.Run<FloatVector128>),
    };

    /// <summary>The native library's chains of <c>vdpbf16ps</c>.</summary>
    public static PeakProbe BFloat16() => new("bf16", 2.0 * NativeKernels.PeakBFloat16(1), rounds => NativeKernels.PeakBFloat16(rounds));

    /// <summary>The chains of <c>bench/peers/peak.c</c> that this processor can run; none when the library is not there.</summary>
    public static IReadOnlyList<PeakProbe> Native(string? libraryPath)
    {
        if (libraryPath is null || !File.Exists(libraryPath))
        {
            return [];
        }

        nint library = NativeLibrary.Load(libraryPath);
        int available = ((delegate* unmanaged<int>)NativeLibrary.GetExport(library, "peak_available"))();
        List<PeakProbe> probes = [];
        (string Name, string Function)[] functions = [("native fp32, 512 bit", "peak_fp32_512"), ("native bf16 (vdpbf16ps), 512 bit", "peak_bf16_512"), ("native int8 (vpdpbusd), 512 bit", "peak_int8_512")];
        for (int i = 0; i < functions.Length; i++)
        {
            if ((available >> i & 1) != 0)
            {
                delegate* unmanaged<nint, nint> function = (delegate* unmanaged<nint, nint>)NativeLibrary.GetExport(library, functions[i].Function);
                nint address = (nint)function;
                probes.Add(new PeakProbe(functions[i].Name, function(0), rounds => _ = ((delegate* unmanaged<nint, nint>)address)(rounds)));
            }
        }

        return probes;
    }

    /// <summary>One burst on every thread of the pool at once.</summary>
    public void Run(WorkerPool pool) => pool.Run(pool.ThreadCount, _burst, static (_, burst) => burst());
}
