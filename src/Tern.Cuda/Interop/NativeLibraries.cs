using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[assembly: DisableRuntimeMarshalling]

namespace Tern.Cuda.Interop;

/// <summary>
/// Finds NVIDIA's libraries at the first call into one, so that a machine without them runs everything else. Each logical
/// name stands for the file names of CUDA 13 and 12; an environment variable puts another file in their place.
/// </summary>
internal static class NativeLibraries
{
    public const string Driver = "cuda", Blas = "cublas", Collectives = "nccl", Ranges = "nvtx";

    private static readonly bool IsUsed = SetResolver();

    private static readonly Dictionary<string, string[]> FileNames = new(StringComparer.Ordinal)
    {
        [Driver] = OperatingSystem.IsWindows() ? ["nvcuda.dll"] : ["libcuda.so.1", "libcuda.so"],
        [Blas] = OperatingSystem.IsWindows() ? ["cublas64_13.dll", "cublas64_12.dll"] : ["libcublas.so.13", "libcublas.so.12", "libcublas.so"],
        [Collectives] = ["libnccl.so.2", "libnccl.so"],

        // CUDA 13 has ranges in headers only; those of CUDA 12 or the interop library of NVTX 3 serve where they are.
        [Ranges] = OperatingSystem.IsWindows() ? ["nvToolsExt64_1.dll"] : ["libnvtx3interop.so.1", "libnvtx3interop.so", "libnvToolsExt.so.1"],
    };

    private static readonly string[] Directories = OperatingSystem.IsWindows()
        ? [""]
        : ["", "/usr/local/cuda/lib64/", "/usr/local/cuda/targets/x86_64-linux/lib/", "/usr/local/cuda/targets/sbsa-linux/lib/", "/usr/local/nvidia/lib64/"];

    /// <summary>The environment variable that names the file of a library: TERN_LIB_CUDA and so on.</summary>
    public static string OverrideVariable(string name) => "TERN_LIB_" + name.ToUpperInvariant();

    /// <summary>The handle of a library, 0 where there is none. The loader counts, so asking twice costs little and leaks nothing.</summary>
    public static nint Find(string name)
    {
        if (!FileNames.TryGetValue(name, out string[]? files))
        {
            return 0;
        }

        // An override is an order: when its file does not load, no other is tried behind the user's back.
        if (Environment.GetEnvironmentVariable(OverrideVariable(name)) is { Length: > 0 } path)
        {
            return NativeLibrary.TryLoad(path, out nint chosen) ? chosen : 0;
        }

        foreach (string directory in Directories)
        {
            foreach (string file in files)
            {
                if (NativeLibrary.TryLoad(directory + file, out nint handle))
                {
                    return handle;
                }
            }
        }

        return 0;
    }

    /// <summary>Where a library was looked for, for messages.</summary>
    public static string Searched(string name) => Environment.GetEnvironmentVariable(OverrideVariable(name)) is { Length: > 0 } path
        ? $"{path} ({OverrideVariable(name)})"
        : string.Join(", ", FileNames[name]);

    /// <summary>Before the first call of every class of imports: the names above are resolved here.</summary>
    public static void Use() => _ = IsUsed;

    private static bool SetResolver()
    {
        NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, static (string name, Assembly _, DllImportSearchPath? _) => Find(name));
        return true;
    }
}
