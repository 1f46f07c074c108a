using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Cuda;
using Xunit;

namespace Tern.TestKit;

/// <summary>
/// The CUDA backend over the emulated device: the product's own code, with a driver and a cuBLAS whose kernels run on the
/// CPU. Where tests vary the thread count they vary the order of the emulated threads here.
/// </summary>
public static unsafe class EmulatedDevice
{
    private static readonly nint Library = Load();

    /// <summary>The stand-in for the driver, as ./build.sh native leaves it.</summary>
    public static string LibraryPath => Repository.PathOf("artifacts", "native", "emulator", "libcudaemu.so");

    /// <summary>Why it is not there; null when it is.</summary>
    public static string? WhyNot => Library != 0 ? null : "no emulated CUDA device: ./build.sh native builds it where cmake and a C++20 compiler are";

    /// <summary>Adds it to the backends as cuda:0, with the seed of its schedule in the place of the threads. Does nothing where it is not.</summary>
    public static void Register()
    {
        if (Library != 0)
        {
            Backends.Add(new BackendSource("cuda", () => CudaDevice.WhyNone is { } reason ? ([], reason) : ([new BackendFactory("cuda:0", Create, CudaBackend.WhyNot)], null)));
        }
    }

    /// <summary>The order of the emulated threads from now on; 0 is their natural one.</summary>
    public static void SetSeed(uint seed)
    {
        const uint OneWorker = 1; // launches here are too small to share
        const int CheckRaces = 1;
        ((delegate* unmanaged<uint, uint, int, void>)NativeLibrary.GetExport(Library, "tern_emulator_configure"))(seed, OneWorker, CheckRaces);
    }

    /// <summary>What the device is asked for while the action runs, a line each: launch, gemm, alloc, free, upload, download, copy, set, synchronize.</summary>
    public static string[] Record(Action action)
    {
        ((delegate* unmanaged<void>)NativeLibrary.GetExport(Library, "tern_emulator_record"))();
        action();
        var read = (delegate* unmanaged<byte*, nuint, nuint>)NativeLibrary.GetExport(Library, "tern_emulator_read_record");
        byte[] text = new byte[read(null, 0)];
        fixed (byte* start = text)
        {
            read(start, (nuint)text.Length);
        }

        return System.Text.Encoding.UTF8.GetString(text).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private static CudaBackend Create(int threads, ProductPrecision precision)
    {
        SetSeed((uint)Math.Max(0, threads - 1));
        return new CudaBackend(CudaDevice.All[0], precision);
    }

    private static nint Load()
    {
        if (!NativeLibrary.TryLoad(LibraryPath, out nint library))
        {
            return 0;
        }

        Environment.SetEnvironmentVariable("TERN_LIB_CUDA", LibraryPath);
        Environment.SetEnvironmentVariable("TERN_LIB_CUBLAS", LibraryPath);
        return library;
    }
}

/// <summary>A test of the emulated device; skipped, with the reason, where it was not built.</summary>
public sealed class EmulatedDeviceFactAttribute : FactAttribute
{
    public EmulatedDeviceFactAttribute() => Skip = EmulatedDevice.WhyNot;
}

/// <summary>As <see cref="EmulatedDeviceFactAttribute"/>, for theories.</summary>
public sealed class EmulatedDeviceTheoryAttribute : TheoryAttribute
{
    public EmulatedDeviceTheoryAttribute() => Skip = EmulatedDevice.WhyNot;
}
